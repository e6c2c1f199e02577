//! Fills the working set. The order of the locks is what keeps replicas from deadlock: rating, accounts by id, then
//! their ledger accounts by id. Those of the platform follow when the batch is saved.

use super::{Corrections, Scope};
use crate::error::StoreError;
use crate::rating;
use crate::row::{
    self, account, bucket, ledger_account, line_item, parked_row, payment, reservation, rev_share,
    terms,
};
use billing_domain::account::{OpenDelivery, OpsRef, Party};
use billing_domain::book::LedgerAccount;
use billing_domain::chart::{Code, LedgerKey};
use billing_domain::{Period, Work};
use cleave_kernel::{AccountId, Currency, LedgerAccountId, PaymentId, Timestamp};
use cleave_storage::padded;
use sea_orm::sea_query::{Expr, ExprTrait, Order, Query, SelectStatement};
use sea_orm::{ConnectionTrait, DatabaseTransaction};
use std::collections::{BTreeMap, BTreeSet};

/// What the database held, where writing it back depends on that.
pub(super) struct Stored {
    pub(super) accounts: BTreeSet<AccountId>,
    /// Ledger accounts of billing accounts that may be used and have no row yet.
    pub(super) absent: BTreeMap<LedgerAccountId, LedgerKey>,
    /// The platform's ledger accounts.
    pub(super) platform: BTreeMap<LedgerAccountId, Platform>,
}

/// A ledger account of the platform, not locked.
pub(super) struct Platform {
    /// As it was read.
    pub(super) before: LedgerAccount,
    /// Whether it had a row.
    pub(super) stored: bool,
}

pub(super) async fn load(
    txn: &DatabaseTransaction,
    scope: &mut Scope,
    work: &mut Work,
    corrections: &Corrections,
) -> Result<Stored, StoreError> {
    // The lock of rating comes before all others, and what it loads names accounts to lock.
    work.rating = rating::load(txn, scope).await?;
    add_reservations_accounts(txn, scope).await?;
    let accounts = lock_accounts(txn, scope, work).await?;
    let absent = lock_ledger_accounts(txn, scope, work).await?;
    let platform = read_platform(txn, work).await?;
    load_reservations(txn, scope, work).await?;
    load_payments(txn, scope, work).await?;
    load_open_deliveries(txn, scope, work, corrections).await?;
    Ok(Stored {
        accounts,
        absent,
        platform,
    })
}

/// A reservation never changes its account, so this may be read before anything is locked.
async fn add_reservations_accounts(
    txn: &DatabaseTransaction,
    scope: &mut Scope,
) -> Result<(), StoreError> {
    let select = row::select(reservation::TABLE, ["account_id"]);
    let keys: Vec<_> = scope.reservations.iter().map(|id| id.uuid()).collect();
    for row in row::by_keys(txn, &select, "id", keys).await? {
        scope.account(AccountId::from_uuid(row.try_get_by_index(0)?));
    }
    Ok(())
}

async fn lock_accounts(
    txn: &DatabaseTransaction,
    scope: &Scope,
    work: &mut Work,
) -> Result<BTreeSet<AccountId>, StoreError> {
    let mut accounts = BTreeSet::new();
    let select = row::select(account::TABLE, account::COLUMNS)
        .order_by("id", Order::Asc)
        .lock_exclusive()
        .to_owned();
    let keys = scope.accounts.iter().map(|id| id.uuid());
    for row in row::by_keys(txn, &select, "id", keys).await? {
        let account = account::read(&row, 0)?;
        accounts.insert(account.id);
        work.load_account(account);
    }
    Ok(accounts)
}

/// Every ledger account of the accounts at hand. Those without a row hold nothing, and are answered: to put them in place
/// here and lock them would take locks out of order, which is how two replicas that open one account come to wait for each
/// other. They are inserted with what the batch did to them, and of two replicas that do so one runs again.
async fn lock_ledger_accounts(
    txn: &DatabaseTransaction,
    scope: &Scope,
    work: &mut Work,
) -> Result<BTreeMap<LedgerAccountId, LedgerKey>, StoreError> {
    let mut absent = own_ledgers(scope, work);
    let select = row::select(ledger_account::TABLE, ledger_account::COLUMNS)
        .order_by("id", Order::Asc)
        .lock_exclusive()
        .to_owned();
    let keys: Vec<_> = absent.keys().map(|id| id.uuid()).collect();
    for row in row::by_keys(txn, &select, "id", keys).await? {
        let account = ledger_account::read(&row, 0)?;
        absent.remove(&account.key.id());
        work.book_mut().load(account);
    }
    for key in absent.values() {
        work.book_mut().load(LedgerAccount::new(*key));
    }
    Ok(absent)
}

/// The platform's ledger accounts in the currencies at hand, as they were a moment ago. They are not locked: every batch of
/// a currency moves money through them, so that a lock held from here to the commit would make replicas take turns. No
/// rule asks what is in them but that their sums fit; what a batch adds is added to whatever they hold when it is
/// saved. The holds of the accounts at hand are in what is read here, because those accounts are locked by now.
async fn read_platform(
    txn: &DatabaseTransaction,
    work: &mut Work,
) -> Result<BTreeMap<LedgerAccountId, Platform>, StoreError> {
    let currencies: BTreeSet<_> = work.book().accounts().map(|own| own.key.currency).collect();
    let keys = currencies.iter().flat_map(|currency| {
        let codes = Code::OF_PLATFORM.iter();
        codes.map(|code| LedgerKey::platform(*currency, *code))
    });
    let absent = |key| Platform {
        before: LedgerAccount::new(key),
        stored: false,
    };
    let mut platform: BTreeMap<_, _> = keys.map(|key| (key.id(), absent(key))).collect();
    let select = row::select(ledger_account::TABLE, ledger_account::COLUMNS);
    let ids: Vec<_> = platform.keys().map(|id| id.uuid()).collect();
    for row in row::by_keys(txn, &select, "id", ids).await? {
        let before = ledger_account::read(&row, 0)?;
        let stored = true;
        platform.insert(before.key.id(), Platform { before, stored });
    }
    for account in platform.values() {
        work.book_mut().load(account.before);
    }
    Ok(platform)
}

fn own_ledgers(scope: &Scope, work: &Work) -> BTreeMap<LedgerAccountId, LedgerKey> {
    let mut keys = BTreeMap::new();
    let mut add = |id: AccountId, party: Party, currency: Currency| {
        let codes = match party {
            Party::Advertiser => Code::OF_ADVERTISER,
            Party::Publisher => Code::OF_PUBLISHER,
        };
        for code in codes {
            let key = LedgerKey::account(id, currency, *code);
            keys.insert(key.id(), key);
        }
    };
    for id in &scope.accounts {
        match (work.account(*id), scope.opening.get(id)) {
            (Some(account), _) => add(*id, account.party(), account.currency),
            (None, Some((owner, currency))) => add(*id, OpsRef::party(*owner), *currency),
            (None, None) => {}
        }
    }
    keys
}

/// Those asked for by id, and the live ones of the line items whose rows may draw from them.
async fn load_reservations(
    txn: &DatabaseTransaction,
    scope: &Scope,
    work: &mut Work,
) -> Result<(), StoreError> {
    let select = row::select(reservation::TABLE, reservation::COLUMNS);
    let live = select
        .clone()
        .and_where(Expr::col("state").is_in(reservation::LIVE))
        .to_owned();
    let ids = scope.reservations.iter().map(|id| id.uuid());
    let line_items: BTreeSet<_> = scope.holds.iter().map(|(_, item)| item.uuid()).collect();
    let mut rows = row::by_keys(txn, &select, "id", ids).await?;
    rows.extend(row::by_keys(txn, &live, "line_item_id", line_items).await?);
    for row in rows {
        let reservation = reservation::read(&row)?;
        // Another account's hold on the same line item is not locked, and not ours to draw from.
        if work.account(reservation.account).is_some() {
            work.load_reservation(reservation);
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

/// What may still change of the delivery of accounts that are to close. Read after their locks: what is rated or parked
/// for them later finds them closed.
async fn load_open_deliveries(
    txn: &DatabaseTransaction,
    scope: &Scope,
    work: &mut Work,
    corrections: &Corrections,
) -> Result<(), StoreError> {
    for id in &scope.closing {
        let Some(owner) = work.account(*id).map(|account| account.ops_ref) else {
            continue;
        };
        let (last, parked) = delivery_of(owner);
        let last = match txn.query_one(&last).await? {
            Some(row) => row.try_get_by_index::<Option<i32>>(0)?,
            None => None,
        };
        let parked = match txn.query_one(&parked).await? {
            Some(row) => row.try_get_by_index(0)?,
            None => 0,
        };
        let until = last.map(Period::from_index);
        let until = until.map(|month| corrections.end(month));
        let until = until.unwrap_or(Timestamp::EPOCH);
        work.load_open_delivery(*id, OpenDelivery { until, parked });
    }
    Ok(())
}

/// The last month with delivery of a party, and how many of its rows are parked.
fn delivery_of(owner: OpsRef) -> (SelectStatement, SelectStatement) {
    let among = |column: &'static str, table: &'static str, owner_column: &'static str| {
        Query::select()
            .column(column)
            .from(table)
            .and_where(Expr::col(owner_column).eq(owner.uuid()))
            .to_owned()
    };
    let (of_bucket, of_row) = match owner {
        OpsRef::Advertiser(_) => (
            Expr::col("line_item_id").in_subquery(among("id", line_item::TABLE, "advertiser_id")),
            Expr::col("line_item_id").in_subquery(among(
                "line_item_id",
                terms::TABLE,
                "advertiser_id",
            )),
        ),
        OpsRef::Publisher(_) => (
            Expr::col("publisher_id").eq(owner.uuid()),
            Expr::col("ad_unit_id").in_subquery(among(
                "ad_unit_id",
                rev_share::TABLE,
                "publisher_id",
            )),
        ),
    };
    let last = Query::select()
        .expr(Expr::col("period").max())
        .from(bucket::TABLE)
        .and_where(of_bucket)
        .to_owned();
    let parked = Query::select()
        .expr(Expr::col("id").count())
        .from(parked_row::TABLE)
        .and_where(of_row)
        .to_owned();
    (last, parked)
}
