//! What all nouns of the catalogue do alike: insert, update, find, lock, page. A noun adds its columns.

use cleave_storage::{StorageError, padded};
use operations_domain::{Kind, Refusal, Stamp};
use sea_orm::sea_query::{Expr, ExprTrait, LockType, Order, Query, SelectStatement};
use sea_orm::{ConnectionTrait, QueryResult, Value};
use std::fmt::Display;
use uuid::Uuid;

use crate::page::{Filter, PageRequest, Position};
use crate::row::{Row, at};
use crate::topic::Topic;
use crate::unit::Unit;

const HEAD: [&str; 4] = ["id", "version", "created_at", "updated_at"];
/// Ids looked up by one statement.
const LOOKUP_CHUNK: usize = 1024;

/// Columns whose values together may stand in one row only.
#[derive(Debug, Clone, PartialEq)]
pub struct UniqueKey {
    /// The field that a refusal names.
    pub field: &'static str,
    /// The columns and their values.
    pub columns: Vec<(&'static str, Value)>,
}

/// A noun with a table.
pub trait Record: Sized + Send + Sync {
    /// Its table.
    const TABLE: &'static str;
    /// What it is.
    const KIND: Kind;
    /// What the feed calls it.
    const TOPIC: Topic;
    /// Its own columns, after id, version and times.
    const COLUMNS: &'static [&'static str];
    /// Its typed id.
    type Id: Copy + Display;

    /// The id as it is stored.
    fn key(id: Self::Id) -> Uuid;

    /// The id behind a stored one.
    fn id_of(key: Uuid) -> Self::Id;

    /// Its id.
    fn record_id(&self) -> Self::Id;

    /// Version and times.
    fn record_stamp(&self) -> Stamp;

    /// The values of [`Self::COLUMNS`].
    fn values(&self) -> Vec<Value>;

    /// The keys that no other row may have.
    fn unique_keys(&self) -> Vec<UniqueKey> {
        Vec::new()
    }

    /// The noun behind a row that stands at [`Self::COLUMNS`].
    ///
    /// # Errors
    /// When the row cannot have been written.
    fn read(id: Self::Id, stamp: Stamp, row: &mut Row<'_>) -> Result<Self, StorageError>;
}

/// The noun with this id.
///
/// # Errors
/// When the database fails.
pub async fn find<R: Record, C: ConnectionTrait>(
    conn: &C,
    id: R::Id,
) -> Result<Option<R>, StorageError> {
    let select = by_ids::<R>(vec![R::key(id)]);
    let row = conn.query_one(&select).await?;
    row.as_ref().map(read::<R>).transpose()
}

/// The nouns with these ids, in no order; ids that name nothing are passed over.
///
/// # Errors
/// When the database fails.
pub async fn find_many<R: Record, C: ConnectionTrait>(
    conn: &C,
    ids: &[R::Id],
) -> Result<Vec<R>, StorageError> {
    let mut keys: Vec<Uuid> = ids.iter().map(|id| R::key(*id)).collect();
    keys.sort_unstable();
    keys.dedup();
    let mut found = Vec::with_capacity(keys.len());
    for chunk in keys.chunks(LOOKUP_CHUNK) {
        let select = by_ids::<R>(padded(chunk.iter().copied()));
        for row in conn.query_all(&select).await? {
            found.push(read::<R>(&row)?);
        }
    }
    Ok(found)
}

/// The noun with this id, which stays as it is until the transaction ends.
///
/// # Errors
/// When the database fails.
pub async fn lock<R: Record>(unit: &Unit, id: R::Id) -> Result<Option<R>, StorageError> {
    let mut select = by_ids::<R>(vec![R::key(id)]);
    select.lock(LockType::Update);
    let row = unit.query_one(&select).await?;
    row.as_ref().map(read::<R>).transpose()
}

/// One page of nouns, oldest first.
///
/// # Errors
/// When the database fails.
pub async fn page<R: Record, C: ConnectionTrait>(
    conn: &C,
    filter: Filter,
    page: &PageRequest,
) -> Result<Vec<(R, Position)>, StorageError> {
    let mut select = select::<R>();
    filter.apply(&mut select);
    page.apply(&mut select);
    let rows = conn.query_all(&select).await?;
    rows.iter()
        .map(|row| {
            let noun = read::<R>(row)?;
            let position = Position {
                created_at: noun.record_stamp().created_at,
                id: R::key(noun.record_id()),
            };
            Ok((noun, position))
        })
        .collect()
}

/// Why the noun cannot be stored beside what is: its id or one of its keys is taken. A twin that takes it in
/// the meantime is met as contention, and found by the next try.
///
/// # Errors
/// When the database fails.
pub async fn conflict<R: Record>(unit: &Unit, noun: &R) -> Result<Option<Refusal>, StorageError> {
    let id = R::key(noun.record_id());
    if noun.record_stamp().version == 1
        && holder::<R>(unit, vec![("id", id.into())]).await?.is_some()
    {
        return Ok(Some(exists::<R>(id, "id")));
    }
    for key in noun.unique_keys() {
        if let Some(other) = holder::<R>(unit, key.columns).await?
            && other != id
        {
            return Ok(Some(exists::<R>(other, key.field)));
        }
    }
    Ok(None)
}

/// Stores a new noun and notes it for the feed.
///
/// # Errors
/// When the database fails.
pub async fn insert<R: Record>(unit: &Unit, noun: &R) -> Result<(), StorageError> {
    let id = R::key(noun.record_id());
    let stamp = noun.record_stamp();
    let head = [
        id.into(),
        stamp.version.into(),
        at(stamp.created_at),
        at(stamp.updated_at),
    ];
    let values = head.into_iter().chain(noun.values()).map(Expr::val);
    let insert = Query::insert()
        .into_table(R::TABLE)
        .columns(HEAD.iter().chain(R::COLUMNS).copied())
        .values_panic(values)
        .to_owned();
    unit.execute(&insert)
        .await
        .map_err(|error| StorageError::from(error).unique_is_contention())?;
    unit.note(R::TOPIC, id);
    Ok(())
}

/// Stores the next version of a noun and notes it for the feed.
///
/// # Errors
/// When the database fails, or another transaction has stored the same version.
pub async fn update<R: Record>(unit: &Unit, noun: &R) -> Result<(), StorageError> {
    let id = R::key(noun.record_id());
    let stamp = noun.record_stamp();
    let mut update = Query::update();
    update
        .table(R::TABLE)
        .value("version", stamp.version)
        .value("updated_at", stamp.updated_at.micros())
        .and_where(Expr::col("id").eq(id))
        .and_where(Expr::col("version").eq(stamp.version - 1));
    for (column, value) in R::COLUMNS.iter().zip(noun.values()) {
        update.value(*column, Expr::val(value));
    }
    let done = unit
        .execute(&update)
        .await
        .map_err(|error| StorageError::from(error).unique_is_contention())?;
    if done.rows_affected() != 1 {
        // Whoever changes a noun has locked it before.
        return Err(StorageError::Corrupt(format!(
            "{} {} was changed without being locked",
            R::KIND,
            noun.record_id()
        )));
    }
    unit.note(R::TOPIC, id);
    Ok(())
}

fn exists<R: Record>(holder: Uuid, field: &str) -> Refusal {
    Refusal::Exists {
        kind: R::KIND,
        holder: Some(R::id_of(holder).to_string()),
        field: field.to_owned(),
    }
}

async fn holder<R: Record>(
    unit: &Unit,
    key: Vec<(&'static str, Value)>,
) -> Result<Option<Uuid>, StorageError> {
    let mut select = Query::select();
    select.column("id").from(R::TABLE);
    for (column, value) in key {
        select.and_where(Expr::col(column).eq(Expr::val(value)));
    }
    let row = unit.query_one(&select).await?;
    row.map(|row| Ok(row.try_get_by_index(0)?)).transpose()
}

fn select<R: Record>() -> SelectStatement {
    Query::select()
        .columns(HEAD)
        .columns(R::COLUMNS.iter().copied())
        .from(R::TABLE)
        .to_owned()
}

fn by_ids<R: Record>(ids: Vec<Uuid>) -> SelectStatement {
    select::<R>()
        .and_where(Expr::col("id").is_in(ids))
        .order_by("id", Order::Asc)
        .to_owned()
}

pub(crate) fn read<R: Record>(result: &QueryResult) -> Result<R, StorageError> {
    let mut row = Row::new(result);
    let id = R::id_of(row.take()?);
    let stamp = Stamp {
        version: row.take()?,
        created_at: row.at()?,
        updated_at: row.at()?,
    };
    R::read(id, stamp, &mut row)
}

/// Implements the part of [`Record`] that every aggregate has alike.
macro_rules! record_head {
    ($id:ident) => {
        type Id = cleave_kernel::$id;

        fn key(id: Self::Id) -> uuid::Uuid {
            id.uuid()
        }

        fn id_of(key: uuid::Uuid) -> Self::Id {
            cleave_kernel::$id::from_uuid(key)
        }

        fn record_id(&self) -> Self::Id {
            self.id
        }
    };
}

pub(crate) use record_head;
