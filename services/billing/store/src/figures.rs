//! The sums of all money, for those who watch: few rows, however many accounts there are.

use crate::error::StoreError;
use crate::row::{self, account, ledger_account, reservation};
use crate::store::Store;
use billing_domain::account::{Party, State};
use billing_domain::chart::Code;
use cleave_kernel::{Currency, Timestamp};
use cleave_storage::Engine;
use sea_orm::ConnectionTrait;
use sea_orm::sea_query::{Expr, ExprTrait, Query};
use std::collections::BTreeMap;

/// What there is of one currency, in micros. Sums of many accounts may leave 64 bits.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct MoneyFigures {
    /// What reservations hold of advertisers' money.
    pub held: i128,
    /// What advertisers may still spend: balances and credit, less what is held and what was invoiced.
    pub free: i128,
    /// Delivery of advertisers that nothing covers yet.
    pub unfunded: i128,
    /// Debits less credits over all ledger accounts; anything but zero is a fault.
    pub posted_imbalance: i128,
    /// The same of what is held.
    pub pending_imbalance: i128,
}

/// Reservations that are live.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct ReservationFigures {
    /// How many.
    pub live: i64,
    /// When the first of them is due to settle or to close.
    pub first_due: Option<Timestamp>,
}

impl Store {
    /// The money of each currency.
    ///
    /// # Errors
    /// When the database fails or a sum leaves 64 bits.
    pub async fn money_figures(&self) -> Result<BTreeMap<Currency, MoneyFigures>, StoreError> {
        self.database()
            .read("money_figures", |conn| async move {
                let mut figures = BTreeMap::new();
                add_ledger(conn, &mut figures).await?;
                add_credit(conn, &mut figures).await?;
                Ok(figures)
            })
            .await
    }

    /// The live reservations.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn reservation_figures(&self) -> Result<ReservationFigures, StoreError> {
        self.database()
            .read("reservation_figures", |conn| async move {
                let due = || Expr::col("due_at");
                let select = Query::select()
                    .expr(due().count())
                    .expr(due().min())
                    .from(reservation::TABLE)
                    .and_where(due().is_not_null())
                    .to_owned();
                let Some(row) = conn.query_one(&select).await? else {
                    return Ok(ReservationFigures::default());
                };
                Ok(ReservationFigures {
                    live: row.try_get_by_index(0)?,
                    first_due: row
                        .try_get_by_index::<Option<i64>>(1)?
                        .map(Timestamp::from_micros),
                })
            })
            .await
    }
}

type Figures = BTreeMap<Currency, MoneyFigures>;

/// Adds what the ledger accounts say. One statement, so that both sides of each transfer are of one moment.
async fn add_ledger<C: ConnectionTrait>(conn: &C, figures: &mut Figures) -> Result<(), StoreError> {
    let engine = Engine::from(conn.get_database_backend());
    let net = |debits, credits| Expr::col(debits).sub(Expr::col(credits));
    let posted = net("debits_posted", "credits_posted");
    let pending = net("debits_pending", "credits_pending");
    let mut select = Query::select();
    select.column("currency").column("code");
    for sum in [posted, pending, Expr::col("debits_pending")] {
        select.expr(row::whole_number(sum.sum(), engine));
    }
    select
        .from(ledger_account::TABLE)
        .group_by_columns(["currency", "code"]);
    for row in conn.query_all(&select).await? {
        let code: i16 = row.try_get_by_index(1)?;
        let micros = |index: usize| row.try_get_by_index::<i64>(index).map(i128::from);
        let (posted, pending, held) = (micros(2)?, micros(3)?, micros(4)?);
        let of = figures
            .entry(row::currency(&row.try_get_by_index::<String>(0)?)?)
            .or_default();
        of.posted_imbalance += posted;
        of.pending_imbalance += pending;
        match Code::from_number(code) {
            Some(Code::AdvertiserBalance) => {
                of.held += held;
                of.free -= posted + held;
            }
            Some(Code::AdvertiserReceivable) => of.free -= posted,
            Some(Code::DeliveryUnfunded) => of.unfunded += posted,
            _ => {}
        }
    }
    Ok(())
}

/// Adds the credit that open advertisers have.
async fn add_credit<C: ConnectionTrait>(conn: &C, figures: &mut Figures) -> Result<(), StoreError> {
    let engine = Engine::from(conn.get_database_backend());
    let limits = Expr::col("credit_limit").sum();
    let select = Query::select()
        .column("currency")
        .expr(row::whole_number(limits, engine))
        .from(account::TABLE)
        .and_where(Expr::col("party").eq(account::party_number(Party::Advertiser)))
        .and_where(Expr::col("state").eq(account::state_number(State::Open)))
        .group_by_col("currency")
        .to_owned();
    for row in conn.query_all(&select).await? {
        let limit: i64 = row.try_get_by_index(1)?;
        let of = figures
            .entry(row::currency(&row.try_get_by_index::<String>(0)?)?)
            .or_default();
        of.free += i128::from(limit);
    }
    Ok(())
}
