//! The account of one advertiser or one publisher.

mod close;
mod credit;
mod open;

pub use close::{CloseAccount, OpenDelivery};
pub use credit::UpdateCreditTerms;
pub use open::OpenAccount;

use crate::chart::{Code, LedgerKey};
use crate::refusal::Refusal;
use crate::standing::StandingOverride;
use cleave_kernel::{AccountId, AdvertiserId, Currency, InvalidId, Micros, PublisherId, Timestamp};
use serde::{Deserialize, Serialize};
use std::fmt;
use std::str::FromStr;
use uuid::Uuid;

/// Which kind of party owns an account.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Party {
    /// Buys delivery and is charged.
    Advertiser,
    /// Sells inventory and earns.
    Publisher,
}

/// Who owns an account, as Operations knows it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum OpsRef {
    /// An advertiser.
    Advertiser(AdvertiserId),
    /// A publisher.
    Publisher(PublisherId),
}

impl OpsRef {
    /// Which kind of party it names.
    pub const fn party(self) -> Party {
        match self {
            Self::Advertiser(_) => Party::Advertiser,
            Self::Publisher(_) => Party::Publisher,
        }
    }

    /// The UUID to store.
    pub const fn uuid(self) -> Uuid {
        match self {
            Self::Advertiser(id) => id.uuid(),
            Self::Publisher(id) => id.uuid(),
        }
    }

    /// The reference behind a stored kind and UUID.
    pub const fn from_parts(party: Party, uuid: Uuid) -> Self {
        match party {
            Party::Advertiser => Self::Advertiser(AdvertiserId::from_uuid(uuid)),
            Party::Publisher => Self::Publisher(PublisherId::from_uuid(uuid)),
        }
    }
}

impl fmt::Display for OpsRef {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Advertiser(id) => id.fmt(f),
            Self::Publisher(id) => id.fmt(f),
        }
    }
}

impl FromStr for OpsRef {
    type Err = InvalidId;

    fn from_str(text: &str) -> Result<Self, InvalidId> {
        if text.starts_with(PublisherId::PREFIX) {
            text.parse().map(Self::Publisher)
        } else {
            text.parse().map(Self::Advertiser)
        }
    }
}

/// How the owner pays.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Mode {
    /// Spends only what was paid in before.
    Prepaid,
    /// Spends on credit up to its limit, and is invoiced.
    Postpaid,
    /// Spends its balance first, then credit up to its limit.
    PrepaidWithCredit,
}

/// The life of an account.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum State {
    /// In use.
    Open,
    /// Closed for ever.
    Closed,
}

/// An account, but for its money: that is in the book.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Account {
    /// Names it; follows from the owner.
    pub id: AccountId,
    /// Who owns it.
    pub ops_ref: OpsRef,
    /// What people call the owner.
    pub display_name: String,
    /// The one currency of its life.
    pub currency: Currency,
    /// How the owner pays.
    pub mode: Mode,
    /// How far below zero the running balance may go.
    pub credit_limit: Micros,
    /// How many days after its date an invoice is due.
    pub net_days: i32,
    /// Its place in its life.
    pub state: State,
    /// The standing that a person set, until it ends or is cleared.
    pub standing_override: Option<StandingOverride>,
    /// Counts the edits by people: what an etag stands for.
    pub version: i64,
    /// Counts every change, of money too.
    pub revision: i64,
    /// When it was opened.
    pub created_at: Timestamp,
    /// When people last edited it.
    pub updated_at: Timestamp,
    /// When it was closed.
    pub closed_at: Option<Timestamp>,
}

/// The namespace of account ids. Never changes: ids follow from it.
const ACCOUNTS: Uuid = Uuid::from_u128(0x5d1e_0a4b_9c37_4f62_8be1_c2f0_947d_13a6);

impl Account {
    /// The account of a party: one for each, known before it is opened.
    pub fn id_of(owner: OpsRef) -> AccountId {
        AccountId::from_uuid(Uuid::new_v5(&ACCOUNTS, owner.to_string().as_bytes()))
    }

    /// Which kind of party owns it.
    pub const fn party(&self) -> Party {
        self.ops_ref.party()
    }

    /// Whether it spends.
    pub fn is_advertiser(&self) -> bool {
        self.party() == Party::Advertiser
    }

    /// The version of what people edit, as a text without meaning.
    pub fn etag(&self) -> String {
        format!("v{}", self.version)
    }

    /// The name of one of its ledger accounts.
    pub const fn ledger(&self, code: Code) -> LedgerKey {
        LedgerKey::account(self.id, self.currency, code)
    }

    /// The codes of its ledger accounts.
    pub const fn codes(&self) -> &'static [Code] {
        match self.party() {
            Party::Advertiser => Code::OF_ADVERTISER,
            Party::Publisher => Code::OF_PUBLISHER,
        }
    }

    /// Refuses an edit of an account that has changed since it was read.
    pub(crate) fn check_etag(&self, etag: &str) -> Result<(), Refusal> {
        if etag == self.etag() {
            Ok(())
        } else {
            Err(Refusal::StaleEtag {
                account: self.id,
                etag: self.etag(),
            })
        }
    }

    /// Refuses whatever needs an open account.
    pub fn check_open(&self) -> Result<(), Refusal> {
        match self.state {
            State::Open => Ok(()),
            State::Closed => Err(Refusal::AccountClosed { account: self.id }),
        }
    }

    /// Refuses what is meant for the other kind of party.
    pub fn check_party(&self, party: Party) -> Result<(), Refusal> {
        if self.party() == party {
            Ok(())
        } else {
            Err(Refusal::WrongParty {
                account: self.id,
                party: self.party(),
            })
        }
    }

    /// Refuses money in another currency.
    pub fn check_currency(&self, currency: Currency) -> Result<(), Refusal> {
        if self.currency == currency {
            Ok(())
        } else {
            Err(Refusal::CurrencyMismatch {
                account: self.id,
                account_currency: self.currency,
                currency,
            })
        }
    }

    /// Notes an edit by a person.
    pub(crate) fn edited(&mut self, now: Timestamp) {
        self.version += 1;
        self.updated_at = now;
    }
}
