//! `accounts`.

use super::currency;
use crate::error::StoreError;
use billing_domain::Account;
use billing_domain::account::{Mode, OpsRef, Party, State};
use billing_domain::standing::{Standing, StandingOverride};
use cleave_kernel::{AccountId, Micros, Timestamp};
use sea_orm::{QueryResult, Value};

pub(crate) const TABLE: &str = "accounts";
pub(crate) const COLUMNS: [&str; 19] = [
    "id",
    "party",
    "ops_id",
    "display_name",
    "currency",
    "mode",
    "credit_limit",
    "net_days",
    "state",
    "override_standing",
    "override_reason",
    "override_actor",
    "override_ends_at",
    "override_created_at",
    "version",
    "revision",
    "created_at",
    "updated_at",
    "closed_at",
];

pub(crate) fn values(account: &Account) -> [Value; 19] {
    let set = account.standing_override.as_ref();
    [
        account.id.uuid().into(),
        party_number(account.party()).into(),
        account.ops_ref.uuid().into(),
        account.display_name.clone().into(),
        account.currency.code().into(),
        mode_number(account.mode).into(),
        account.credit_limit.get().into(),
        account.net_days.into(),
        state_number(account.state).into(),
        set.map(|set| standing_number(set.standing)).into(),
        set.map(|set| set.reason.clone()).into(),
        set.map(|set| set.actor.clone()).into(),
        set.map(|set| set.ends_at.micros()).into(),
        set.map(|set| set.created_at.micros()).into(),
        account.version.into(),
        account.revision.into(),
        account.created_at.micros().into(),
        account.updated_at.micros().into(),
        account.closed_at.map(Timestamp::micros).into(),
    ]
}

/// Reads the columns that begin at `at`.
pub(crate) fn read(row: &QueryResult, at: usize) -> Result<Account, StoreError> {
    let party = party_of(row.try_get_by_index(at + 1)?)?;
    Ok(Account {
        id: AccountId::from_uuid(row.try_get_by_index(at)?),
        ops_ref: OpsRef::from_parts(party, row.try_get_by_index(at + 2)?),
        display_name: row.try_get_by_index(at + 3)?,
        currency: currency(&row.try_get_by_index::<String>(at + 4)?)?,
        mode: mode_of(row.try_get_by_index(at + 5)?)?,
        credit_limit: Micros::new(row.try_get_by_index(at + 6)?),
        net_days: row.try_get_by_index(at + 7)?,
        state: state_of(row.try_get_by_index(at + 8)?)?,
        standing_override: read_override(row, at + 9)?,
        version: row.try_get_by_index(at + 14)?,
        revision: row.try_get_by_index(at + 15)?,
        created_at: Timestamp::from_micros(row.try_get_by_index(at + 16)?),
        updated_at: Timestamp::from_micros(row.try_get_by_index(at + 17)?),
        closed_at: row
            .try_get_by_index::<Option<i64>>(at + 18)?
            .map(Timestamp::from_micros),
    })
}

fn read_override(row: &QueryResult, at: usize) -> Result<Option<StandingOverride>, StoreError> {
    let Some(standing) = row.try_get_by_index::<Option<i16>>(at)? else {
        return Ok(None);
    };
    Ok(Some(StandingOverride {
        standing: standing_of(standing)?,
        reason: row.try_get_by_index(at + 1)?,
        actor: row.try_get_by_index(at + 2)?,
        ends_at: Timestamp::from_micros(row.try_get_by_index(at + 3)?),
        created_at: Timestamp::from_micros(row.try_get_by_index(at + 4)?),
    }))
}

pub(crate) const fn party_number(party: Party) -> i16 {
    match party {
        Party::Advertiser => 1,
        Party::Publisher => 2,
    }
}

fn party_of(number: i16) -> Result<Party, StoreError> {
    match number {
        1 => Ok(Party::Advertiser),
        2 => Ok(Party::Publisher),
        _ => Err(StoreError::corrupt(format!("accounts.party is {number}"))),
    }
}

const fn mode_number(mode: Mode) -> i16 {
    match mode {
        Mode::Prepaid => 1,
        Mode::Postpaid => 2,
        Mode::PrepaidWithCredit => 3,
    }
}

fn mode_of(number: i16) -> Result<Mode, StoreError> {
    match number {
        1 => Ok(Mode::Prepaid),
        2 => Ok(Mode::Postpaid),
        3 => Ok(Mode::PrepaidWithCredit),
        _ => Err(StoreError::corrupt(format!("accounts.mode is {number}"))),
    }
}

pub(crate) const fn state_number(state: State) -> i16 {
    match state {
        State::Open => 2,
        State::Closed => 3,
    }
}

fn state_of(number: i16) -> Result<State, StoreError> {
    match number {
        2 => Ok(State::Open),
        3 => Ok(State::Closed),
        _ => Err(StoreError::corrupt(format!("accounts.state is {number}"))),
    }
}

const fn standing_number(standing: Standing) -> i16 {
    match standing {
        Standing::Active => 1,
        Standing::OnHold => 2,
        Standing::Stop => 3,
        Standing::Blocked => 4,
    }
}

fn standing_of(number: i16) -> Result<Standing, StoreError> {
    match number {
        1 => Ok(Standing::Active),
        2 => Ok(Standing::OnHold),
        3 => Ok(Standing::Stop),
        4 => Ok(Standing::Blocked),
        _ => Err(StoreError::corrupt(format!(
            "accounts.override_standing is {number}"
        ))),
    }
}
