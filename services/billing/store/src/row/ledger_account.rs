//! `ledger_accounts`.

use super::currency;
use crate::error::StoreError;
use billing_domain::book::{Counters, LedgerAccount};
use billing_domain::chart::{Code, LedgerKey, Owner};
use cleave_kernel::{AccountId, Micros};
use sea_orm::{QueryResult, Value};
use uuid::Uuid;

pub(crate) const TABLE: &str = "ledger_accounts";
pub(crate) const COLUMNS: [&str; 8] = [
    "id",
    "account_id",
    "code",
    "currency",
    "debits_posted",
    "credits_posted",
    "debits_pending",
    "credits_pending",
];

/// How many of them are counters; they come last.
pub(crate) const COUNTERS: usize = 4;

pub(crate) fn values(account: &LedgerAccount) -> [Value; 8] {
    let LedgerAccount { key, counters } = account;
    [
        key.id().uuid().into(),
        key.account_id().map(AccountId::uuid).into(),
        key.code.number().into(),
        key.currency.code().into(),
        counters.debits_posted.get().into(),
        counters.credits_posted.get().into(),
        counters.debits_pending.get().into(),
        counters.credits_pending.get().into(),
    ]
}

/// Reads the columns that begin at `at`.
pub(crate) fn read(row: &QueryResult, at: usize) -> Result<LedgerAccount, StoreError> {
    let owner = match row.try_get_by_index::<Option<Uuid>>(at + 1)? {
        None => Owner::Platform,
        Some(account) => Owner::Account(AccountId::from_uuid(account)),
    };
    let number = row.try_get_by_index(at + 2)?;
    let key = LedgerKey {
        owner,
        currency: currency(&row.try_get_by_index::<String>(at + 3)?)?,
        code: Code::from_number(number)
            .ok_or_else(|| StoreError::corrupt(format!("ledger_accounts.code is {number}")))?,
    };
    if key.id().uuid() != row.try_get_by_index::<Uuid>(at)? {
        return Err(StoreError::corrupt(format!(
            "the id of ledger account {} does not follow from its name",
            key.id()
        )));
    }
    let micros = |offset: usize| row.try_get_by_index(at + offset).map(Micros::new);
    let counters = Counters {
        debits_posted: micros(4)?,
        credits_posted: micros(5)?,
        debits_pending: micros(6)?,
        credits_pending: micros(7)?,
    };
    Ok(LedgerAccount { key, counters })
}
