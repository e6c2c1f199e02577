//! What has to move on because its time has passed.

use crate::error::StoreError;
use crate::row::{account, reservation};
use crate::store::Store;
use cleave_kernel::{AccountId, ReservationId, Timestamp};
use sea_orm::ConnectionTrait;
use sea_orm::sea_query::{Expr, ExprTrait, Order, Query};
use uuid::Uuid;

impl Store {
    /// Up to `limit` reservations that are due at `now`, the longest due first.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn due_reservations(
        &self,
        now: Timestamp,
        limit: u64,
    ) -> Result<Vec<ReservationId>, StoreError> {
        let due = self.due(reservation::TABLE, "due_at", now, limit).await?;
        Ok(due.into_iter().map(ReservationId::from_uuid).collect())
    }

    /// Up to `limit` accounts whose override has ended at `now`, the longest ended first.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn due_overrides(
        &self,
        now: Timestamp,
        limit: u64,
    ) -> Result<Vec<AccountId>, StoreError> {
        let due = self
            .due(account::TABLE, "override_ends_at", now, limit)
            .await?;
        Ok(due.into_iter().map(AccountId::from_uuid).collect())
    }

    async fn due(
        &self,
        table: &'static str,
        column: &'static str,
        now: Timestamp,
        limit: u64,
    ) -> Result<Vec<Uuid>, StoreError> {
        self.database()
            .read("due", |conn| async move {
                let select = Query::select()
                    .column("id")
                    .from(table)
                    .and_where(Expr::col(column).lte(now.micros()))
                    .order_by(column, Order::Asc)
                    .limit(limit)
                    .to_owned();
                let rows = conn.query_all(&select).await?;
                rows.iter()
                    .map(|row| Ok(row.try_get_by_index(0)?))
                    .collect()
            })
            .await
    }
}
