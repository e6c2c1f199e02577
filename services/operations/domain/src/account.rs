//! Billing's accounts as Operations knows them: a projection with a revision and an age. Information goes
//! stale with its age; what it forbids, it forbids at once.

use cleave_kernel::{AccountId, Currency, Micros, Timestamp};
use serde::{Deserialize, Serialize};
use std::time::Duration;
use uuid::Uuid;

use crate::named::named;

/// Beyond this age a projection says too little for something new to be activated.
pub const ACTIVATION_MAX_AGE: Duration = Duration::from_secs(15 * 60);

named! {
    /// Which kind of party owns an account.
    pub enum AccountParty {
        /// Pays.
        Advertiser = "ADVERTISER",
        /// Earns.
        Publisher = "PUBLISHER",
    }
}

named! {
    /// The life of an account.
    pub enum AccountState {
        /// Not yet usable.
        Pending = "PENDING",
        /// In use.
        Open = "OPEN",
        /// Over.
        Closed = "CLOSED",
    }
}

named! {
    /// What an account may do.
    pub enum AccountStanding {
        /// Everything.
        Active = "ACTIVE",
        /// Draft and go on, not activate.
        OnHold = "ON_HOLD",
        /// Go on, neither draft nor activate.
        Stop = "STOP",
        /// Nothing.
        Blocked = "BLOCKED",
    }
}

/// An account as Billing last told it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct AccountProjection {
    /// The account.
    pub account: AccountId,
    /// Whose it is: the UUID of an advertiser or publisher.
    pub owner: Uuid,
    /// Which of the two.
    pub party: AccountParty,
    /// The currency of the amounts.
    pub currency: Currency,
    /// Its life.
    pub state: AccountState,
    /// The standing that counts.
    pub standing: AccountStanding,
    /// Why, in Billing's words: `NO_FUNDS`, `OVERRIDE`.
    pub reasons: Vec<String>,
    /// What is free to spend.
    pub available: Micros,
    /// What reservations hold.
    pub held: Micros,
    /// How far below zero the balance may go.
    pub credit_limit: Micros,
    /// Of two readings of one account, the higher is the later.
    pub revision: i64,
    /// When this was so, by Billing's clock.
    pub as_of: Timestamp,
}

/// A projection and how old it is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AccountFacts {
    /// What Billing last told.
    pub account: AccountProjection,
    /// How long ago it was last known to be so. Heartbeats of the feed keep it low while nothing changes.
    pub age: Duration,
}

/// Why something new cannot be activated.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ActivationRefusal {
    /// Billing has not told of an account.
    #[error("billing has not told of an account yet")]
    Unknown,
    /// The account is not open.
    #[error("the billing account is not open")]
    NotOpen,
    /// The standing forbids it.
    #[error("the standing of the billing account, {0}, allows nothing new")]
    Standing(AccountStanding),
    /// What is known is too old to rely on.
    #[error("what is known of the billing account is {} seconds old, too old to activate by", .0.as_secs())]
    Stale(Duration),
}

/// Why what runs has to stop.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum ServingStop {
    /// Billing has not told of an account.
    #[error("billing has not told of an account yet")]
    Unknown,
    /// The account is not open.
    #[error("the billing account is not open")]
    NotOpen,
    /// The account is blocked.
    #[error("the billing account is blocked")]
    Blocked,
}

impl AccountProjection {
    /// Whether `self` is to replace what is stored with `revision`.
    pub fn supersedes(&self, revision: Option<i64>) -> bool {
        revision.is_none_or(|stored| self.revision > stored)
    }
}

impl AccountFacts {
    /// The account as known, `heard_at` being when the feed last gave a sign.
    pub fn new(account: AccountProjection, heard_at: Timestamp, now: Timestamp) -> Self {
        Self {
            account,
            age: now.since(heard_at),
        }
    }
}

/// Whether something new may begin to spend on the account.
///
/// # Errors
/// The reason why not, what the account says before how old it is.
pub fn may_activate(facts: Option<&AccountFacts>) -> Result<(), ActivationRefusal> {
    let facts = facts.ok_or(ActivationRefusal::Unknown)?;
    match facts.account.state {
        AccountState::Pending | AccountState::Closed => return Err(ActivationRefusal::NotOpen),
        AccountState::Open => {}
    }
    match facts.account.standing {
        AccountStanding::Active => {}
        refused @ (AccountStanding::OnHold | AccountStanding::Stop | AccountStanding::Blocked) => {
            return Err(ActivationRefusal::Standing(refused));
        }
    }
    if facts.age > ACTIVATION_MAX_AGE {
        return Err(ActivationRefusal::Stale(facts.age));
    }
    Ok(())
}

/// Whether what runs on the account may go on, however old the projection is: leases bound the risk.
///
/// # Errors
/// The reason why not.
pub fn may_serve(facts: Option<&AccountFacts>) -> Result<(), ServingStop> {
    let account = &facts.ok_or(ServingStop::Unknown)?.account;
    match (account.state, account.standing) {
        (AccountState::Pending | AccountState::Closed, _) => Err(ServingStop::NotOpen),
        (AccountState::Open, AccountStanding::Blocked) => Err(ServingStop::Blocked),
        (
            AccountState::Open,
            AccountStanding::Active | AccountStanding::OnHold | AccountStanding::Stop,
        ) => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn facts(state: AccountState, standing: AccountStanding, age: u64) -> AccountFacts {
        AccountFacts {
            account: AccountProjection {
                account: AccountId::from_uuid(Uuid::nil()),
                owner: Uuid::nil(),
                party: AccountParty::Advertiser,
                currency: Currency::from_code("INR").unwrap(),
                state,
                standing,
                reasons: Vec::new(),
                available: Micros::ZERO,
                held: Micros::ZERO,
                credit_limit: Micros::ZERO,
                revision: 4,
                as_of: Timestamp::EPOCH,
            },
            age: Duration::from_secs(age),
        }
    }

    #[test]
    fn standing_and_age_decide_what_may_begin_and_what_may_go_on() {
        use AccountStanding::{Active, Blocked, OnHold, Stop};
        use AccountState::{Closed, Open, Pending};
        let cases = [
            (Open, Active, 0, true, true),
            (Open, Active, 900, true, true),
            (Open, Active, 901, false, true),
            (Open, OnHold, 0, false, true),
            (Open, Stop, 0, false, true),
            (Open, Blocked, 0, false, false),
            (Pending, Active, 0, false, false),
            (Closed, Active, 0, false, false),
        ];
        for (state, standing, age, activates, serves) in cases {
            let facts = facts(state, standing, age);
            assert_eq!(may_activate(Some(&facts)).is_ok(), activates, "{facts:?}");
            assert_eq!(may_serve(Some(&facts)).is_ok(), serves, "{facts:?}");
        }
        assert_eq!(may_activate(None), Err(ActivationRefusal::Unknown));
        assert_eq!(may_serve(None), Err(ServingStop::Unknown));
    }

    #[test]
    fn only_a_later_reading_replaces_a_projection() {
        let account = facts(AccountState::Open, AccountStanding::Active, 0).account;
        assert!(account.supersedes(None));
        assert!(account.supersedes(Some(3)));
        assert!(!account.supersedes(Some(4)));
        assert!(!account.supersedes(Some(5)));
    }
}
