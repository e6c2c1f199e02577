//! Writes what a batch changed. What makes others wait comes last: the platform's ledger accounts, the numbers of the
//! transfers, then the change feed.

use super::load::Stored;
use crate::error::StoreError;
use crate::rating;
use crate::row::{
    self, IfThere, account, adjustment, ledger_account, payment, reservation, transfer,
};
use crate::store::ACCOUNTS;
use billing_domain::Work;
use billing_domain::book::LedgerAccount;
use cleave_storage::feed::{self, Change};
use cleave_storage::idempotency::Requests;
use cleave_storage::{StorageError, sequence};
use sea_orm::DatabaseTransaction;

/// The name of the sequence that numbers transfers.
const TRANSFERS: &str = "transfers";

/// Answers how far the change feed reaches with it, if anything that is followed changed.
pub(super) async fn save(
    txn: &DatabaseTransaction,
    work: Work,
    requests: Requests,
    stored: &Stored,
) -> Result<Option<i64>, StoreError> {
    save_accounts(txn, &work, stored).await?;
    save_reservations(txn, &work).await?;
    save_documents(txn, &work).await?;
    rating::save(txn, &work).await?;
    requests.store(txn, work.now()).await?;
    save_platform(txn, &work, stored).await?;
    save_transfers(txn, &work).await?;
    let changes: Vec<_> = work
        .touched_accounts()
        .map(|account| Change {
            topic: ACCOUNTS,
            subject: account.id.uuid(),
        })
        .collect();
    if changes.is_empty() {
        return Ok(None);
    }
    Ok(Some(feed::append(txn, work.now(), &changes).await?))
}

async fn save_accounts(
    txn: &DatabaseTransaction,
    work: &Work,
    stored: &Stored,
) -> Result<(), StoreError> {
    let (changed, new): (Vec<_>, Vec<_>) = work
        .touched_accounts()
        .partition(|account| stored.accounts.contains(&account.id));
    for (accounts, if_there) in [(changed, IfThere::Replace), (new, IfThere::Fail)] {
        let rows = accounts.into_iter().map(account::values).collect();
        row::write(txn, account::TABLE, account::COLUMNS, rows, if_there)
            .await
            // Another replica opened the same account meanwhile: the next try finds it.
            .map_err(StorageError::unique_is_contention)?;
    }
    save_ledger_accounts(txn, work, stored).await
}

async fn save_ledger_accounts(
    txn: &DatabaseTransaction,
    work: &Work,
    stored: &Stored,
) -> Result<(), StoreError> {
    let (table, columns) = (ledger_account::TABLE, ledger_account::COLUMNS);
    let moved = work.book().touched();
    let moved = moved.filter(|ledger| {
        ledger.key.account_id().is_some() && !stored.absent.contains_key(&ledger.key.id())
    });
    let rows = moved.map(ledger_account::values).collect();
    row::write(txn, table, columns, rows, IfThere::Replace).await?;
    if work.touched_accounts().next().is_none() && work.staged().is_empty() {
        return Ok(());
    }
    // Of an account whose opening was refused, nothing is written.
    let new = stored.absent.iter().filter(|(_, key)| {
        let owner = key.account_id();
        owner.is_none_or(|owner| work.account(owner).is_some())
    });
    let new = new.filter_map(|(id, _)| work.book().account(*id));
    let rows = new.map(ledger_account::values).collect();
    Ok(row::write(txn, table, columns, rows, IfThere::Fail)
        .await
        // Another replica was the first to use the same: the next try finds its rows.
        .map_err(StorageError::unique_is_contention)?)
}

/// Adds what the batch moved to the platform's ledger accounts, whatever other replicas added meanwhile: all in the order
/// of their ids, and with nothing left to do that takes long.
async fn save_platform(
    txn: &DatabaseTransaction,
    work: &Work,
    stored: &Stored,
) -> Result<(), StoreError> {
    if work.touched_accounts().next().is_none() && work.staged().is_empty() {
        return Ok(());
    }
    let mut rows = Vec::with_capacity(stored.platform.len());
    for (id, platform) in &stored.platform {
        let before = &platform.before;
        let now = work.book().account(*id).unwrap_or(before);
        if now == before && platform.stored {
            continue;
        }
        let added = now.counters.since(&before.counters);
        let counters = added.map_err(|error| StoreError::Broken(error.to_string()))?;
        rows.push(ledger_account::values(&LedgerAccount {
            key: before.key,
            counters,
        }));
    }
    let (table, columns) = (ledger_account::TABLE, ledger_account::COLUMNS);
    let counters = IfThere::Add(ledger_account::COUNTERS);
    Ok(row::write(txn, table, columns, rows, counters).await?)
}

async fn save_reservations(txn: &DatabaseTransaction, work: &Work) -> Result<(), StoreError> {
    let rows = work
        .touched_reservations()
        .map(reservation::values)
        .collect();
    let (table, columns) = (reservation::TABLE, reservation::COLUMNS);
    Ok(row::write(txn, table, columns, rows, IfThere::Replace).await?)
}

async fn save_documents(txn: &DatabaseTransaction, work: &Work) -> Result<(), StoreError> {
    // References are keys that another replica may be taking: in their order, so that nobody waits in a circle.
    let mut payments: Vec<_> = work.new_payments().iter().collect();
    payments.sort_unstable_by(|one, other| one.external_ref.cmp(&other.external_ref));
    let rows = payments.into_iter().map(payment::values).collect();
    row::write(txn, payment::TABLE, payment::COLUMNS, rows, IfThere::Fail)
        .await
        // Another replica recorded the same reference for another account meanwhile: the next try finds it.
        .map_err(StorageError::unique_is_contention)?;
    let rows = work
        .new_adjustments()
        .iter()
        .map(adjustment::values)
        .collect();
    let (table, columns) = (adjustment::TABLE, adjustment::COLUMNS);
    Ok(row::write(txn, table, columns, rows, IfThere::Fail).await?)
}

async fn save_transfers(txn: &DatabaseTransaction, work: &Work) -> Result<(), StoreError> {
    let staged = work.staged();
    if staged.is_empty() {
        return Ok(());
    }
    let count = u32::try_from(staged.len())
        .map_err(|_| StoreError::Broken("more transfers than one batch may hold".to_owned()))?;
    let first = sequence::allocate(txn, TRANSFERS, count).await?;
    let rows = (first..)
        .zip(staged)
        .map(|(seq, transfer)| transfer::values(seq, transfer))
        .collect();
    let (table, columns) = (transfer::TABLE, transfer::COLUMNS);
    Ok(row::write(txn, table, columns, rows, IfThere::Fail).await?)
}
