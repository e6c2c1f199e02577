//! Reading what publishers earned, summed by the database.

use crate::error::StoreError;
use crate::row::{self, amounts, bucket, bucket_total, currency, rev_share, terms};
use crate::store::Store;
use billing_domain::Period;
use billing_domain::rating::Amounts;
use cleave_kernel::{Currency, PublisherId};
use cleave_storage::Engine;
use sea_orm::ConnectionTrait;
use sea_orm::sea_query::{Expr, ExprTrait, JoinType, Order, Query, SelectStatement};
use uuid::Uuid;

/// What earnings are summed by, beside month and currency.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum GroupBy {
    /// Nothing else.
    Period,
    /// The game.
    Game,
    /// The ad unit.
    AdUnit,
}

/// Which earnings are wanted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct EarningsFilter {
    /// Who earned them.
    pub publisher: PublisherId,
    /// The first month.
    pub from: Option<Period>,
    /// The last month, itself included.
    pub through: Option<Period>,
    /// What they are summed by.
    pub group_by: GroupBy,
}

/// Earnings of one group.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Earnings {
    /// The month.
    pub period: Period,
    /// The game or the ad unit; nil when grouped by neither.
    pub subject: Uuid,
    /// The currency.
    pub currency: Currency,
    /// The sums.
    pub amounts: Amounts,
}

impl Store {
    /// What a publisher earned, in the order of month, then game or ad unit, then currency.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn publisher_earnings(
        &self,
        filter: &EarningsFilter,
    ) -> Result<Vec<Earnings>, StoreError> {
        let select = &earnings(filter, self.database().engine());
        let read = |row: &sea_orm::QueryResult| {
            Ok(Earnings {
                period: Period::from_index(row.try_get_by_index(0)?),
                currency: currency(&row.try_get_by_index::<String>(1)?)?,
                amounts: amounts(row, 2)?,
                subject: match filter.group_by {
                    GroupBy::Period => Uuid::nil(),
                    GroupBy::Game | GroupBy::AdUnit => row.try_get_by_index(7)?,
                },
            })
        };
        let read = &read;
        self.database()
            .read("publisher_earnings", |conn| async move {
                conn.query_all(select).await?.iter().map(read).collect()
            })
            .await
    }
}

fn earnings(filter: &EarningsFilter, engine: Engine) -> SelectStatement {
    let of = |table: &'static str, column: &'static str| Expr::col((table, column));
    let subject = match filter.group_by {
        GroupBy::Period => None,
        GroupBy::Game => Some((rev_share::TABLE, "game_id")),
        GroupBy::AdUnit => Some((bucket::TABLE, "ad_unit_id")),
    };
    let period = (bucket::TABLE, "period");
    let money = (terms::TABLE, "currency");
    let mut select = Query::select();
    select.column(period).column(money);
    for column in ["served", "billed", "earned", "revenue", "absorbed"] {
        select.expr(row::whole_number(
            of(bucket_total::TABLE, column).sum(),
            engine,
        ));
    }
    let terms_of = of(terms::TABLE, "line_item_id")
        .equals((bucket::TABLE, "line_item_id"))
        .and(of(terms::TABLE, "version").equals((bucket::TABLE, "terms_version")));
    let share_of = of(rev_share::TABLE, "rev_share_id")
        .equals((bucket::TABLE, "rev_share_id"))
        .and(of(rev_share::TABLE, "ad_unit_id").equals((bucket::TABLE, "ad_unit_id")));
    let totals_of = of(bucket_total::TABLE, "id").equals((bucket::TABLE, "id"));
    select
        .from(bucket::TABLE)
        .join(JoinType::InnerJoin, bucket_total::TABLE, totals_of)
        .join(JoinType::InnerJoin, terms::TABLE, terms_of)
        .join(JoinType::InnerJoin, rev_share::TABLE, share_of)
        .and_where(of(bucket::TABLE, "publisher_id").eq(filter.publisher.uuid()));
    if let Some(from) = filter.from {
        select.and_where(of(bucket::TABLE, "period").gte(from.index()));
    }
    if let Some(through) = filter.through {
        select.and_where(of(bucket::TABLE, "period").lte(through.index()));
    }
    select.group_by_columns([period, money]);
    select.order_by(period, Order::Asc);
    if let Some(subject) = subject {
        select.column(subject);
        select.group_by_columns([subject]);
        select.order_by(subject, Order::Asc);
    }
    select.order_by(money, Order::Asc).to_owned()
}
