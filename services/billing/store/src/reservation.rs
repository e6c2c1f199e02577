//! Reading reservations.

use crate::error::StoreError;
use crate::row::{self, reservation};
use crate::store::Store;
use billing_domain::Reservation;
use billing_domain::reservation::State;
use cleave_kernel::{AccountId, LineItemId, ReservationId};
use sea_orm::ConnectionTrait;
use sea_orm::sea_query::{Expr, ExprTrait, Order};

/// Which reservations a list shows.
#[derive(Debug, Clone, Default)]
pub struct ReservationFilter {
    /// Those of one account.
    pub account: Option<AccountId>,
    /// Those of one line item.
    pub line_item: Option<LineItemId>,
    /// Those in one state, whatever they closed for.
    pub state: Option<State>,
}

impl Store {
    /// A reservation, if it exists.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn reservation(&self, id: ReservationId) -> Result<Option<Reservation>, StoreError> {
        self.database()
            .read("reservation", |conn| async move {
                let select = row::select(reservation::TABLE, reservation::COLUMNS)
                    .and_where(Expr::col("id").eq(id.uuid()))
                    .to_owned();
                let found = conn.query_one(&select).await?;
                found.as_ref().map(reservation::read).transpose()
            })
            .await
    }

    /// Up to `limit` reservations after `after`, oldest first: their ids follow the time.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn list_reservations(
        &self,
        filter: &ReservationFilter,
        after: Option<ReservationId>,
        limit: u64,
    ) -> Result<Vec<Reservation>, StoreError> {
        let mut select = row::select(reservation::TABLE, reservation::COLUMNS);
        select.order_by("id", Order::Asc).limit(limit);
        if let Some(after) = after {
            select.and_where(Expr::col("id").gt(after.uuid()));
        }
        if let Some(account) = filter.account {
            select.and_where(Expr::col("account_id").eq(account.uuid()));
        }
        if let Some(line_item) = filter.line_item {
            select.and_where(Expr::col("line_item_id").eq(line_item.uuid()));
        }
        if let Some(state) = filter.state {
            let numbers = match state {
                State::Held => vec![reservation::HELD],
                State::Settling => vec![reservation::SETTLING],
                State::Closed(_) => reservation::CLOSED.to_vec(),
            };
            select.and_where(Expr::col("state").is_in(numbers));
        }
        let select = &select;
        self.database()
            .read("list_reservations", |conn| async move {
                let rows = conn.query_all(select).await?;
                rows.iter().map(reservation::read).collect()
            })
            .await
    }
}
