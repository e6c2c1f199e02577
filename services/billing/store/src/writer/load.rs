//! Fills the working set. The order of the locks is what keeps replicas from deadlock: rating, accounts by id, then
//! ledger accounts by id.

use super::Scope;
use crate::error::StoreError;
use crate::rating;
use crate::row::{self, IfThere, account, ledger_account, payment, reservation};
use billing_domain::Work;
use billing_domain::account::{OpsRef, Party};
use billing_domain::book::LedgerAccount;
use billing_domain::chart::{Code, LedgerKey};
use cleave_kernel::{AccountId, Currency, LedgerAccountId, PaymentId};
use cleave_storage::padded;
use sea_orm::sea_query::{Expr, ExprTrait, Order};
use sea_orm::{ConnectionTrait, DatabaseTransaction};
use std::collections::{BTreeMap, BTreeSet};

/// What the database held, where writing it back depends on that.
pub(super) struct Stored {
    pub(super) accounts: BTreeSet<AccountId>,
}

pub(super) async fn load(
    txn: &DatabaseTransaction,
    scope: &mut Scope,
    work: &mut Work,
) -> Result<Stored, StoreError> {
    // The lock of rating comes before all others, and what it loads names accounts to lock.
    work.rating = rating::load(txn, scope).await?;
    add_reservations_accounts(txn, scope).await?;
    let stored = lock_accounts(txn, scope, work).await?;
    lock_ledger_accounts(txn, scope, work).await?;
    load_reservations(txn, scope, work).await?;
    load_payments(txn, scope, work).await?;
    Ok(stored)
}

/// A reservation never changes its account, so this may be read before anything is locked.
async fn add_reservations_accounts(
    txn: &DatabaseTransaction,
    scope: &mut Scope,
) -> Result<(), StoreError> {
    if scope.reservations.is_empty() {
        return Ok(());
    }
    let select = sea_orm::sea_query::Query::select()
        .column("account_id")
        .from(reservation::TABLE)
        .and_where(Expr::col("id").is_in(padded(scope.reservations.iter().map(|id| id.uuid()))))
        .to_owned();
    for row in txn.query_all(&select).await? {
        scope.account(AccountId::from_uuid(row.try_get_by_index(0)?));
    }
    Ok(())
}

async fn lock_accounts(
    txn: &DatabaseTransaction,
    scope: &Scope,
    work: &mut Work,
) -> Result<Stored, StoreError> {
    let mut accounts = BTreeSet::new();
    if !scope.accounts.is_empty() {
        let select = row::select(account::TABLE, account::COLUMNS)
            .and_where(Expr::col("id").is_in(padded(scope.accounts.iter().map(|id| id.uuid()))))
            .order_by("id", Order::Asc)
            .lock_exclusive()
            .to_owned();
        for row in txn.query_all(&select).await? {
            let account = account::read(&row, 0)?;
            accounts.insert(account.id);
            work.load_account(account);
        }
    }
    Ok(Stored { accounts })
}

/// Every ledger account of the accounts at hand, and the platform's in their currencies. Those that have never been used are put in place
/// first, so that there is a row to lock.
async fn lock_ledger_accounts(
    txn: &DatabaseTransaction,
    scope: &Scope,
    work: &mut Work,
) -> Result<(), StoreError> {
    let mut missing = wanted(scope, work);
    if missing.is_empty() {
        return Ok(());
    }
    lock_listed(txn, &mut missing, work).await?;
    if !missing.is_empty() {
        let rows = missing
            .values()
            .map(|key| ledger_account::values(&LedgerAccount::new(*key)))
            .collect();
        row::write(
            txn,
            ledger_account::TABLE,
            ledger_account::COLUMNS,
            rows,
            IfThere::Keep,
        )
        .await?;
        lock_listed(txn, &mut missing, work).await?;
    }
    match missing.into_values().next() {
        None => Ok(()),
        Some(key) => Err(StoreError::corrupt(format!(
            "ledger account {} was put in place and is not there",
            key.id()
        ))),
    }
}

/// Locks and loads those of `missing` that are there, and takes them off the list.
async fn lock_listed(
    txn: &DatabaseTransaction,
    missing: &mut BTreeMap<LedgerAccountId, LedgerKey>,
    work: &mut Work,
) -> Result<(), StoreError> {
    let select = row::select(ledger_account::TABLE, ledger_account::COLUMNS)
        .and_where(Expr::col("id").is_in(padded(missing.keys().map(|id| id.uuid()))))
        .order_by("id", Order::Asc)
        .lock_exclusive()
        .to_owned();
    for row in txn.query_all(&select).await? {
        let account = ledger_account::read(&row, 0)?;
        missing.remove(&account.key.id());
        work.book_mut().load(account);
    }
    Ok(())
}

fn wanted(scope: &Scope, work: &Work) -> BTreeMap<LedgerAccountId, LedgerKey> {
    let mut keys = BTreeSet::new();
    let mut add = |id: AccountId, party: Party, currency: Currency| {
        let codes = match party {
            Party::Advertiser => Code::OF_ADVERTISER,
            Party::Publisher => Code::OF_PUBLISHER,
        };
        let own = codes
            .iter()
            .map(|code| LedgerKey::account(id, currency, *code));
        let platform = Code::OF_PLATFORM
            .iter()
            .map(|code| LedgerKey::platform(currency, *code));
        keys.extend(own.chain(platform));
    };
    for id in &scope.accounts {
        match (work.account(*id), scope.opening.get(id)) {
            (Some(account), _) => add(*id, account.party(), account.currency),
            (None, Some((owner, currency))) => add(*id, OpsRef::party(*owner), *currency),
            (None, None) => {}
        }
    }
    keys.into_iter().map(|key| (key.id(), key)).collect()
}

/// Those asked for by id, and the live ones of the line items whose rows may draw from them.
async fn load_reservations(
    txn: &DatabaseTransaction,
    scope: &Scope,
    work: &mut Work,
) -> Result<(), StoreError> {
    let ids = scope.reservations.iter().map(|id| id.uuid());
    let line_items: BTreeSet<_> = scope.holds.iter().map(|(_, item)| item.uuid()).collect();
    let by_id = Expr::col("id").is_in(padded(ids));
    let by_line_item = Expr::col("line_item_id")
        .is_in(padded(line_items.iter().copied()))
        .and(Expr::col("state").is_in(reservation::LIVE));
    let conditions = [
        (!scope.reservations.is_empty()).then_some(by_id),
        (!line_items.is_empty()).then_some(by_line_item),
    ];
    for condition in conditions.into_iter().flatten() {
        let select = row::select(reservation::TABLE, reservation::COLUMNS)
            .and_where(condition)
            .to_owned();
        for row in txn.query_all(&select).await? {
            let reservation = reservation::read(&row)?;
            // Another account's hold on the same line item is not locked, and not ours to draw from.
            if work.account(reservation.account).is_some() {
                work.load_reservation(reservation);
            }
        }
    }
    Ok(())
}

async fn load_payments(
    txn: &DatabaseTransaction,
    scope: &Scope,
    work: &mut Work,
) -> Result<(), StoreError> {
    if scope.payments.is_empty() {
        return Ok(());
    }
    let select = row::select(payment::TABLE, ["external_ref", "id"])
        .and_where(Expr::col("external_ref").is_in(padded(scope.payments.iter().cloned())))
        .to_owned();
    for row in txn.query_all(&select).await? {
        let id = PaymentId::from_uuid(row.try_get_by_index(1)?);
        work.load_payment(row.try_get_by_index(0)?, id);
    }
    Ok(())
}
