//! Reading accounts: one by one (gathered), in pages, and as they change.

use crate::error::StoreError;
use crate::row::{self, account, ledger_account};
use crate::store::{ACCOUNTS, Store};
use billing_domain::Account;
use billing_domain::account::{Party, State};
use billing_domain::book::Counters;
use billing_domain::chart::Code;
use billing_domain::standing::{Position, Standing, StandingReason};
use cleave_kernel::{AccountId, Currency, Micros, Timestamp};
use cleave_storage::feed::{self, FeedPosition};
use cleave_storage::{Database, one_of};
use sea_orm::sea_query::{
    CaseStatement, Expr, ExprTrait, Func, JoinType, Order, Query, SelectStatement,
};
use sea_orm::{ConnectionTrait, DbBackend, QueryResult};
use std::collections::{BTreeMap, HashMap};

/// An account and what it has, all from one moment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AccountView {
    /// The account.
    pub account: Account,
    /// What it has.
    pub position: Position,
}

impl AccountView {
    /// What it may do at `now`, and why.
    pub fn standing(&self, now: Timestamp) -> (Standing, Vec<StandingReason>) {
        self.position.standing(&self.account, now)
    }

    /// What may still be spent.
    pub fn free(&self) -> Micros {
        self.position.free(&self.account)
    }
}

/// Which accounts a list shows.
#[derive(Debug, Clone, Default)]
pub struct AccountFilter {
    /// Of this kind of party.
    pub party: Option<Party>,
    /// In this state.
    pub state: Option<State>,
    /// In this currency.
    pub currency: Option<Currency>,
}

impl Store {
    /// An account with what it has, if it exists. Calls that wait at the same time share a query.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn account(&self, id: AccountId) -> Result<Option<AccountView>, StoreError> {
        self.account_reads.submit(id).await?
    }

    /// Accounts with what they have; those that do not exist are left out.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn accounts(
        &self,
        ids: &[AccountId],
    ) -> Result<HashMap<AccountId, AccountView>, StoreError> {
        self.database()
            .read("accounts", |conn| async move { views(conn, ids).await })
            .await
    }

    /// Up to `limit` accounts after `after`, in the order of their ids.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn list_accounts(
        &self,
        filter: &AccountFilter,
        after: Option<AccountId>,
        limit: u64,
    ) -> Result<Vec<Account>, StoreError> {
        let mut select = row::select(account::TABLE, account::COLUMNS);
        select.order_by("id", Order::Asc).limit(limit);
        if let Some(after) = after {
            select.and_where(Expr::col("id").gt(after.uuid()));
        }
        if let Some(party) = filter.party {
            select.and_where(Expr::col("party").eq(account::party_number(party)));
        }
        if let Some(state) = filter.state {
            select.and_where(Expr::col("state").eq(account::state_number(state)));
        }
        if let Some(currency) = filter.currency {
            select.and_where(Expr::col("currency").eq(currency.code()));
        }
        let select = &select;
        self.database()
            .read("list_accounts", |conn| async move {
                let rows = conn.query_all(select).await?;
                rows.iter().map(|row| account::read(row, 0)).collect()
            })
            .await
    }

    /// How far the change feed reaches.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn feed_position(&self) -> Result<FeedPosition, StoreError> {
        self.database()
            .read("feed_position", |conn| async move {
                Ok(feed::head(conn).await?)
            })
            .await
    }

    /// The accounts that changed after `after`, each as it is now, and how far that reaches: at most `limit` changes are looked at.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn changed_accounts(
        &self,
        after: i64,
        limit: u64,
    ) -> Result<(Vec<AccountView>, i64), StoreError> {
        self.database()
            .read("changed_accounts", |conn| async move {
                let page = feed::read_topics(conn, after, &[ACCOUNTS], limit).await?;
                let ids: Vec<_> = page
                    .rows
                    .iter()
                    .map(|change| AccountId::from_uuid(change.subject))
                    .collect();
                Ok((in_order(views(conn, &ids).await?), page.next))
            })
            .await
    }
}

fn in_order(views: HashMap<AccountId, AccountView>) -> Vec<AccountView> {
    let ordered: BTreeMap<_, _> = views.into_iter().collect();
    ordered.into_values().collect()
}

/// Answers the reads that were gathered.
pub(crate) async fn answer(
    database: &Database,
    ids: Vec<AccountId>,
) -> Vec<Result<Option<AccountView>, StoreError>> {
    let asked = &ids;
    let found = database
        .read("accounts", |conn| async move { views(conn, asked).await })
        .await;
    match found {
        Ok(found) => ids.iter().map(|id| Ok(found.get(id).cloned())).collect(),
        Err(error) => {
            let error: StoreError = error;
            ids.iter().map(|_| Err(error.clone())).collect()
        }
    }
}

/// One statement, so that the account and its counters are of one moment; and one row per account, because rows are what
/// a read costs.
async fn views<C: ConnectionTrait>(
    conn: &C,
    ids: &[AccountId],
) -> Result<HashMap<AccountId, AccountView>, StoreError> {
    let mut found = HashMap::with_capacity(ids.len());
    for chunk in ids.chunks(1024) {
        let select = joined(conn.get_database_backend(), chunk);
        for row in conn.query_all(&select).await? {
            let view = read_view(&row)?;
            found.insert(view.account.id, view);
        }
    }
    Ok(found)
}

/// The ledger accounts of an account. Of each pair it has one: the first of an advertiser, the second of a publisher.
const LEDGERS: [[Code; 2]; 3] = [
    [Code::AdvertiserBalance, Code::PublisherEstimated],
    [Code::AdvertiserReceivable, Code::ClawbackReceivable],
    [Code::DeliveryUnfunded, Code::PublisherFinal],
];
/// What is read of each.
const COUNTERS: [&str; 3] = ["debits_posted", "credits_posted", "debits_pending"];

fn joined(backend: DbBackend, ids: &[AccountId]) -> SelectStatement {
    let of_ledger = |column| Expr::col((ledger_account::TABLE, column));
    let id = (account::TABLE, "id");
    let mut select = Query::select();
    for column in account::COLUMNS {
        select.column((account::TABLE, column));
    }
    for codes in LEDGERS {
        let named = of_ledger("code").is_in(codes.map(Code::number));
        for column in COUNTERS {
            // There is one at most: the greatest is that one.
            let counter = CaseStatement::new().case(named.clone(), of_ledger(column));
            select.expr(Func::max(counter));
        }
    }
    select
        .from(account::TABLE)
        .join(
            JoinType::LeftJoin,
            ledger_account::TABLE,
            of_ledger("account_id").equals(id),
        )
        .and_where(one_of(
            backend,
            Expr::col(id),
            ids.iter().map(|id| id.uuid()),
        ))
        .add_group_by([Expr::col(id)]);
    select
}

/// Reads a row of [`joined`].
fn read_view(row: &QueryResult) -> Result<AccountView, StoreError> {
    let account = account::read(row, 0)?;
    let mut counters = [Counters::default(); LEDGERS.len()];
    for (index, counters) in counters.iter_mut().enumerate() {
        let at = account::COLUMNS.len() + index * COUNTERS.len();
        let micros = |offset: usize| {
            let amount = row.try_get_by_index::<Option<i64>>(at + offset);
            amount.map(|amount| Micros::new(amount.unwrap_or(0)))
        };
        counters.debits_posted = micros(0)?;
        counters.credits_posted = micros(1)?;
        counters.debits_pending = micros(2)?;
    }
    let of = |code| {
        let mut named = LEDGERS.iter().zip(&counters);
        let found = named.find(|(codes, _)| codes.contains(&code));
        found.map(|(_, counters)| *counters).unwrap_or_default()
    };
    let position =
        Position::of(&account, of).map_err(|refusal| StoreError::corrupt(refusal.to_string()))?;
    Ok(AccountView { account, position })
}
