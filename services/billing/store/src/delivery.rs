//! Reading how far delivery was taken in, and the rows that wait.

use crate::error::StoreError;
use crate::rating::{DELIVERY, watermarks};
use crate::row::{self, parked_row, unreadable_row, written_off_row};
use crate::store::Store;
use billing_domain::delivery::{DeliveryRow, RowId};
use billing_domain::parked_row::{ParkedRow, Quarantined};
use billing_domain::rating_set::Progress;
use billing_domain::write_off::WrittenOffRow;
use cleave_kernel::Timestamp;
use sea_orm::ConnectionTrait;
use sea_orm::sea_query::{Expr, ExprTrait, Order, Query, SelectStatement};
use std::collections::BTreeMap;
use uuid::Uuid;

/// A row that waits.
#[derive(Debug, Clone)]
pub enum Waits {
    /// For what it would be rated by, or for a decision.
    ToBeRated(ParkedRow),
    /// For a decision alone: it cannot be read.
    Unreadable(Quarantined),
}

/// Some of the rows that wait, all of one moment.
#[derive(Debug, Clone)]
pub struct WaitingPage {
    /// These rows.
    pub rows: Vec<(RowId, Waits)>,
    /// How many wait in all.
    pub total: i64,
}

impl Store {
    /// How far the delivery stream was taken in.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn delivery_progress(&self) -> Result<Progress, StoreError> {
        self.database()
            .snapshot("delivery_progress", |txn| async move {
                let select = row::select("rating_cursor", ["resume_token", "revision", "as_of"])
                    .and_where(Expr::col("name").eq(DELIVERY))
                    .to_owned();
                let row = txn.query_one(&select).await?;
                let row = row.ok_or_else(|| StoreError::corrupt("rating_cursor has no row"))?;
                Ok(Progress {
                    resume_token: row.try_get_by_index(0)?,
                    revision: row.try_get_by_index(1)?,
                    as_of: Timestamp::from_micros(row.try_get_by_index(2)?),
                    watermarks: watermarks(&*txn).await?,
                })
            })
            .await
    }

    /// The instant before which all delivery is rated: the earliest watermark of any source, held back by parked rows.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn rated_through(&self) -> Result<Option<Timestamp>, StoreError> {
        self.database()
            .snapshot("rated_through", |txn| async move {
                let reported = watermarks(&*txn).await?.into_values().min();
                let mut through = reported;
                for table in [parked_row::TABLE, unreadable_row::TABLE] {
                    let select = Query::select()
                        .expr(Expr::col("hour").min())
                        .from(table)
                        .to_owned();
                    if let Some(row) = txn.query_one(&select).await?
                        && let Some(hour) = row.try_get_by_index::<Option<i64>>(0)?
                    {
                        let hour = Timestamp::from_micros(hour);
                        through = through.map(|through| through.min(hour));
                    }
                }
                Ok(through)
            })
            .await
    }

    /// Up to `limit` rows that wait, of either kind, after `after`, in the order of their keys; and how many there are.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn list_parked(
        &self,
        after: Option<RowId>,
        limit: u64,
    ) -> Result<WaitingPage, StoreError> {
        let after = after.map(RowId::uuid);
        let parked = &page(parked_row::TABLE, parked_row::COLUMNS, after, limit);
        let unreadable = &page(unreadable_row::TABLE, unreadable_row::COLUMNS, after, limit);
        let most = usize::try_from(limit).unwrap_or(usize::MAX);
        self.database()
            .snapshot("list_parked", |txn| async move {
                let mut waiting = BTreeMap::new();
                for row in txn.query_all(unreadable).await? {
                    let row = unreadable_row::read(&row)?;
                    waiting.insert(row.row.id, Waits::Unreadable(row));
                }
                for row in txn.query_all(parked).await? {
                    let (id, row) = parked_row::read(&row)?;
                    let later = matches!(waiting.get(&id), Some(Waits::Unreadable(unreadable))
                        if unreadable.row.revision > row.row.revision);
                    if !later {
                        waiting.insert(id, Waits::ToBeRated(row));
                    }
                }
                let parked = count(&*txn, parked_row::TABLE).await?;
                let unreadable = count(&*txn, unreadable_row::TABLE).await?;
                Ok(WaitingPage {
                    rows: waiting.into_iter().take(most).collect(),
                    total: parked.saturating_add(unreadable),
                })
            })
            .await
    }

    /// Up to `limit` rows that were written off after the record `after`, in the order of their records.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn list_written_off(
        &self,
        after: Option<Uuid>,
        limit: u64,
    ) -> Result<Vec<WrittenOffRow>, StoreError> {
        let (table, columns) = (written_off_row::TABLE, written_off_row::COLUMNS);
        let select = &page(table, columns, after, limit);
        self.database()
            .read("list_written_off", |conn| async move {
                let rows = conn.query_all(select).await?;
                rows.iter().map(written_off_row::read).collect()
            })
            .await
    }

    /// Up to `limit` parked rows that were last tried before `before`, the longest untried first.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn parked_to_retry(
        &self,
        before: Timestamp,
        limit: u64,
    ) -> Result<Vec<DeliveryRow>, StoreError> {
        let select = &row::select(parked_row::TABLE, parked_row::COLUMNS)
            .and_where(Expr::col("tried_at").lt(before.micros()))
            .order_by("tried_at", Order::Asc)
            .order_by("id", Order::Asc)
            .limit(limit)
            .to_owned();
        self.database()
            .read("parked_to_retry", |conn| async move {
                let rows = conn.query_all(select).await?;
                let read = |row| parked_row::read(row).map(|(_, parked)| parked.row);
                rows.iter().map(read).collect()
            })
            .await
    }

    /// How many rows wait to be rated.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn parked_count(&self) -> Result<i64, StoreError> {
        self.database()
            .read("parked_count", |conn| async move {
                count(conn, parked_row::TABLE).await
            })
            .await
    }

    /// How many rows wait that cannot be read.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn unreadable_count(&self) -> Result<i64, StoreError> {
        self.database()
            .read("unreadable_count", |conn| async move {
                count(conn, unreadable_row::TABLE).await
            })
            .await
    }
}

/// How many rows a table has.
async fn count(conn: &impl ConnectionTrait, table: &'static str) -> Result<i64, StoreError> {
    let select = Query::select()
        .expr(Expr::col("id").count())
        .from(table)
        .to_owned();
    match conn.query_one(&select).await? {
        Some(row) => Ok(row.try_get_by_index(0)?),
        None => Ok(0),
    }
}

/// The key that [`Store::list_written_off`] goes on after.
pub fn written_off_key(row: &WrittenOffRow) -> Uuid {
    written_off_row::id(row.id, row.revision)
}

/// Up to `limit` rows of a table after the key `after`.
fn page<const N: usize>(
    table: &'static str,
    columns: [&'static str; N],
    after: Option<Uuid>,
    limit: u64,
) -> SelectStatement {
    let mut select = row::select(table, columns);
    select.order_by("id", Order::Asc).limit(limit);
    if let Some(after) = after {
        select.and_where(Expr::col("id").gt(after));
    }
    select
}
