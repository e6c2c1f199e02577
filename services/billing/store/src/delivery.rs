//! Reading how far delivery was taken in, and the rows that wait.

use crate::error::StoreError;
use crate::rating::{DELIVERY, watermarks};
use crate::row::{self, parked_row};
use crate::store::Store;
use billing_domain::delivery::{DeliveryRow, RowId};
use billing_domain::parked_row::ParkedRow;
use billing_domain::rating_set::Progress;
use cleave_kernel::Timestamp;
use sea_orm::ConnectionTrait;
use sea_orm::sea_query::{Expr, ExprTrait, Order, Query};

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
                let select = Query::select()
                    .expr(Expr::col("hour").min())
                    .from(parked_row::TABLE)
                    .to_owned();
                let parked = match txn.query_one(&select).await? {
                    Some(row) => row.try_get_by_index::<Option<i64>>(0)?,
                    None => None,
                };
                let parked = parked.map(Timestamp::from_micros);
                Ok(reported.map(|reported| parked.map_or(reported, |hour| reported.min(hour))))
            })
            .await
    }

    /// Up to `limit` parked rows after `after`, in the order of their keys.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn list_parked(
        &self,
        after: Option<RowId>,
        limit: u64,
    ) -> Result<Vec<(RowId, ParkedRow)>, StoreError> {
        let mut select = row::select(parked_row::TABLE, parked_row::COLUMNS);
        select.order_by("id", Order::Asc).limit(limit);
        if let Some(after) = after {
            select.and_where(Expr::col("id").gt(after.uuid()));
        }
        let select = &select;
        self.database()
            .read("list_parked", |conn| async move {
                let rows = conn.query_all(select).await?;
                rows.iter().map(parked_row::read).collect()
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

    /// How many rows wait.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn parked_count(&self) -> Result<i64, StoreError> {
        self.database()
            .read("parked_count", |conn| async move {
                let select = Query::select()
                    .expr(Expr::col("id").count())
                    .from(parked_row::TABLE)
                    .to_owned();
                let row = conn.query_one(&select).await?;
                Ok(row
                    .map(|row| row.try_get_by_index(0))
                    .transpose()?
                    .unwrap_or(0))
            })
            .await
    }
}
