//! Reading the ledger: balances of one moment, and transfers in their order.

use crate::error::StoreError;
use crate::row::{self, account, ledger_account, transfer};
use crate::store::Store;
use billing_domain::book::LedgerAccount;
use billing_domain::chart::{Code, LedgerKey};
use billing_domain::{Account, Transfer};
use cleave_kernel::{AccountId, Currency, LedgerAccountId};
use cleave_storage::padded;
use sea_orm::sea_query::{Expr, ExprTrait, Func, Order, Query};
use sea_orm::{ConnectionTrait, DatabaseTransaction};
use std::collections::{BTreeSet, HashMap};
use uuid::Uuid;

/// A ledger account as it stands.
pub type LedgerRow = LedgerAccount;

/// Whose balances are wanted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum BalancesOf {
    /// A billing account's.
    Account(AccountId),
    /// The platform's, in one currency.
    Platform(Currency),
}

/// Ledger accounts of one moment.
#[derive(Debug, Clone)]
pub struct Balances {
    /// The billing account, unless they are the platform's.
    pub account: Option<Account>,
    /// The ledger accounts, in the order of their codes.
    pub rows: Vec<LedgerRow>,
    /// The last transfer they hold.
    pub seq: i64,
}

/// Which transfers a list shows.
#[derive(Debug, Clone, Default)]
pub struct TransferFilter {
    /// Those that touch one of these ledger accounts.
    pub ledger_accounts: Option<Vec<LedgerAccountId>>,
    /// Those of one group.
    pub group: Option<Uuid>,
    /// Those with one cause.
    pub source_ref: Option<String>,
}

/// A transfer with its place and the names of its sides.
#[derive(Debug, Clone)]
pub struct TransferRow {
    /// Its place in the order of all transfers.
    pub seq: i64,
    /// The transfer.
    pub transfer: Transfer,
    /// The side it was debited from.
    pub debit: LedgerKey,
    /// The side it was credited to.
    pub credit: LedgerKey,
}

impl Store {
    /// The ledger accounts of one owner; `None` when the billing account does not exist.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn balances(&self, of: BalancesOf) -> Result<Option<Balances>, StoreError> {
        self.database()
            .snapshot("balances", |txn| async move { balances(&txn, of).await })
            .await
    }

    /// Up to `limit` transfers after the place `after`, in their order.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn list_transfers(
        &self,
        filter: &TransferFilter,
        after: i64,
        limit: u64,
    ) -> Result<Vec<TransferRow>, StoreError> {
        let mut select = row::select(transfer::TABLE, transfer::COLUMNS);
        select
            .and_where(Expr::col("seq").gt(after))
            .order_by("seq", Order::Asc)
            .limit(limit);
        if let Some(ids) = &filter.ledger_accounts {
            let ids = padded(ids.iter().map(|id| id.uuid()));
            let debited = Expr::col("debit_id").is_in(ids.iter().copied());
            select.and_where(debited.or(Expr::col("credit_id").is_in(ids.iter().copied())));
        }
        if let Some(group) = filter.group {
            select.and_where(Expr::col("group_id").eq(group));
        }
        if let Some(source_ref) = &filter.source_ref {
            select.and_where(Expr::col("source_ref").eq(source_ref.clone()));
        }
        let select = &select;
        self.database()
            .read("list_transfers", |conn| async move {
                let rows = conn.query_all(select).await?;
                let transfers = rows
                    .iter()
                    .map(transfer::read)
                    .collect::<Result<Vec<_>, _>>()?;
                named(conn, transfers).await
            })
            .await
    }

    /// The ledger accounts of a code, whoever owns them.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn ledger_accounts_of(&self, code: Code) -> Result<Vec<LedgerAccountId>, StoreError> {
        self.database()
            .read("ledger_accounts_of", |conn| async move {
                let select = Query::select()
                    .column("id")
                    .from(ledger_account::TABLE)
                    .and_where(Expr::col("code").eq(code.number()))
                    .to_owned();
                let rows = conn.query_all(&select).await?;
                rows.iter()
                    .map(|row| Ok(LedgerAccountId::from_uuid(row.try_get_by_index(0)?)))
                    .collect()
            })
            .await
    }
}

async fn balances(
    txn: &DatabaseTransaction,
    of: BalancesOf,
) -> Result<Option<Balances>, StoreError> {
    let mut select = row::select(ledger_account::TABLE, ledger_account::COLUMNS);
    let account = match of {
        BalancesOf::Account(id) => {
            let find = row::select(account::TABLE, account::COLUMNS)
                .and_where(Expr::col("id").eq(id.uuid()))
                .to_owned();
            let Some(found) = txn.query_one(&find).await? else {
                return Ok(None);
            };
            select.and_where(Expr::col("account_id").eq(id.uuid()));
            Some(account::read(&found, 0)?)
        }
        BalancesOf::Platform(currency) => {
            select
                .and_where(Expr::col("account_id").is_null())
                .and_where(Expr::col("currency").eq(currency.code()));
            None
        }
    };
    select.order_by("code", Order::Asc);
    let rows = txn.query_all(&select).await?;
    let rows = rows
        .iter()
        .map(|row| ledger_account::read(row, 0))
        .collect::<Result<_, _>>()?;
    Ok(Some(Balances {
        account,
        rows,
        seq: last_seq(txn).await?,
    }))
}

/// The place of the newest transfer; 0 before the first.
pub(crate) async fn last_seq<C: ConnectionTrait>(conn: &C) -> Result<i64, StoreError> {
    let select = Query::select()
        .expr(Func::max(Expr::col("seq")))
        .from(transfer::TABLE)
        .to_owned();
    let row = conn.query_one(&select).await?;
    let last = row.map(|row| row.try_get_by_index::<Option<i64>>(0));
    Ok(last.transpose()?.flatten().unwrap_or(0))
}

/// Adds what the sides of the transfers are called.
async fn named<C: ConnectionTrait>(
    conn: &C,
    transfers: Vec<(i64, Transfer)>,
) -> Result<Vec<TransferRow>, StoreError> {
    if transfers.is_empty() {
        return Ok(Vec::new());
    }
    let sides: BTreeSet<_> = transfers
        .iter()
        .flat_map(|(_, transfer)| [transfer.debit.uuid(), transfer.credit.uuid()])
        .collect();
    let select = row::select(ledger_account::TABLE, ledger_account::COLUMNS)
        .and_where(Expr::col("id").is_in(padded(sides)))
        .to_owned();
    let mut names = HashMap::new();
    for row in conn.query_all(&select).await? {
        let account = ledger_account::read(&row, 0)?;
        names.insert(account.key.id(), account.key);
    }
    let name = |id: LedgerAccountId| {
        names
            .get(&id)
            .copied()
            .ok_or_else(|| StoreError::corrupt(format!("ledger account {id} is missing")))
    };
    transfers
        .into_iter()
        .map(|(seq, transfer)| {
            Ok(TransferRow {
                seq,
                debit: name(transfer.debit)?,
                credit: name(transfer.credit)?,
                transfer,
            })
        })
        .collect()
}
