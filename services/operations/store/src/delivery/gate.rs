//! The gate that writers of delivery pass one at a time, and the watermarks of the sources.

use std::collections::BTreeMap;

use cleave_kernel::Timestamp;
use cleave_storage::{StorageError, feed, padded};
use operations_domain::delivery::SourceName;
use operations_domain::watermark::Watermark;
use sea_orm::sea_query::{Expr, ExprTrait, LockType, OnConflict, Query};
use sea_orm::{ConnectionTrait, DatabaseTransaction};
use uuid::Uuid;

use super::row::SourceNames;

/// The only row of `delivery_gate`.
pub(crate) const GATE_ROW: i16 = 1;

const SOURCE_COLUMNS: [&str; 5] = [
    "source",
    "first_hour",
    "complete_through",
    "seq",
    "updated_at",
];

/// How far delivery has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct DeliveryHead {
    /// Names this history; a restore from a backup begins another one.
    pub epoch: Uuid,
    /// The seq of the last row or watermark.
    pub seq: i64,
    /// How far the change feed had come before, by which its signal tells of what comes after.
    pub feed_seq: i64,
    /// Every hour before this instant is frozen.
    pub frozen_through: Option<Timestamp>,
}

/// The gate as a writer holds it.
#[derive(Debug, Clone, Copy)]
pub(super) struct Gate {
    pub(super) head_seq: i64,
    pub(super) frozen_through: Option<Timestamp>,
}

/// What is known of a source.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Source {
    /// The earliest hour that it ever reported.
    pub(super) first_hour: Option<Timestamp>,
    pub(super) complete_through: Option<Timestamp>,
    pub(super) seq: i64,
    pub(super) updated_at: Timestamp,
}

/// How far delivery has come.
pub async fn head<C: ConnectionTrait>(conn: &C) -> Result<DeliveryHead, StorageError> {
    // Before the gate: what is committed in between is told by the signal once more.
    let feed = feed::head(conn).await?;
    let gate = read_gate(conn, false).await?;
    Ok(DeliveryHead {
        epoch: feed.epoch,
        feed_seq: feed.seq,
        seq: gate.head_seq,
        frozen_through: gate.frozen_through,
    })
}

/// The watermarks with a seq after `after` and at most `up_to`, by source.
pub async fn watermarks<C: ConnectionTrait>(
    conn: &C,
    after: i64,
    up_to: i64,
) -> Result<Vec<Watermark>, StorageError> {
    let select = Query::select()
        .columns(["source", "complete_through", "seq", "updated_at"])
        .from("delivery_sources")
        .and_where(Expr::col("complete_through").is_not_null())
        .and_where(Expr::col("seq").gt(after))
        .and_where(Expr::col("seq").lte(up_to))
        .order_by("source", sea_orm::sea_query::Order::Asc)
        .to_owned();
    let mut names = SourceNames::default();
    let results = conn.query_all(&select).await?;
    results
        .iter()
        .map(|result| {
            Ok(Watermark {
                source: names.intern(result.try_get_by_index(0)?)?,
                complete_through: Timestamp::from_micros(result.try_get_by_index(1)?),
                seq: result.try_get_by_index(2)?,
                updated_at: Timestamp::from_micros(result.try_get_by_index(3)?),
            })
        })
        .collect()
}

/// Waits for the gate and holds it until the transaction ends.
pub(super) async fn lock(txn: &DatabaseTransaction) -> Result<Gate, StorageError> {
    read_gate(txn, true).await
}

/// Keeps delivery out until the transaction ends, for who decides on what was delivered.
pub async fn close_gate(txn: &DatabaseTransaction) -> Result<(), StorageError> {
    lock(txn).await.map(drop)
}

/// Moves the gate on.
pub(super) async fn advance(txn: &DatabaseTransaction, gate: &Gate) -> Result<(), StorageError> {
    let update = Query::update()
        .table("delivery_gate")
        .value("head_seq", gate.head_seq)
        .value("frozen_through", gate.frozen_through.map(Timestamp::micros))
        .and_where(Expr::col("id").eq(GATE_ROW))
        .to_owned();
    txn.execute(&update).await?;
    Ok(())
}

/// What is known of `names`, or of all sources. To be called with the gate held.
pub(super) async fn load_sources(
    txn: &DatabaseTransaction,
    names: Option<&[SourceName]>,
) -> Result<BTreeMap<SourceName, Source>, StorageError> {
    let mut select = Query::select();
    select.columns(SOURCE_COLUMNS).from("delivery_sources");
    if let Some(names) = names {
        let names = padded(names.iter().map(|name| name.as_str().to_owned()));
        select.and_where(Expr::col("source").is_in(names));
    }
    let instant = |micros: Option<i64>| micros.map(Timestamp::from_micros);
    let mut interned = SourceNames::default();
    let results = txn.query_all(&select).await?;
    results
        .iter()
        .map(|result| {
            let source = Source {
                first_hour: instant(result.try_get_by_index(1)?),
                complete_through: instant(result.try_get_by_index(2)?),
                seq: result.try_get_by_index(3)?,
                updated_at: Timestamp::from_micros(result.try_get_by_index(4)?),
            };
            Ok((interned.intern(result.try_get_by_index(0)?)?, source))
        })
        .collect()
}

/// Writes what is known of sources. To be called with the gate held.
pub(super) async fn store_sources(
    txn: &DatabaseTransaction,
    sources: &[(&SourceName, Source)],
) -> Result<(), StorageError> {
    if sources.is_empty() {
        return Ok(());
    }
    let mut insert = Query::insert();
    insert
        .into_table("delivery_sources")
        .columns(SOURCE_COLUMNS);
    for (name, source) in sources {
        insert.values_panic([
            name.as_str().into(),
            source.first_hour.map(Timestamp::micros).into(),
            source.complete_through.map(Timestamp::micros).into(),
            source.seq.into(),
            source.updated_at.micros().into(),
        ]);
    }
    let [_, updated @ ..] = SOURCE_COLUMNS;
    insert.on_conflict(
        OnConflict::column("source")
            .update_columns(updated)
            .to_owned(),
    );
    txn.execute(&insert).await?;
    Ok(())
}

async fn read_gate<C: ConnectionTrait>(conn: &C, lock: bool) -> Result<Gate, StorageError> {
    let mut select = Query::select();
    select
        .columns(["head_seq", "frozen_through"])
        .from("delivery_gate")
        .and_where(Expr::col("id").eq(GATE_ROW));
    if lock {
        select.lock(LockType::Update);
    }
    let row = conn.query_one(&select).await?.ok_or_else(|| {
        StorageError::Unsuitable(
            "the database was not migrated: it has no delivery gate".to_owned(),
        )
    })?;
    Ok(Gate {
        head_seq: row.try_get_by_index(0)?,
        frozen_through: row
            .try_get_by_index::<Option<i64>>(1)?
            .map(Timestamp::from_micros),
    })
}
