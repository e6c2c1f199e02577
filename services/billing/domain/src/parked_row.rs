//! Delivery rows that cannot be rated yet. They are never guessed at: they wait, are tried again, and hold the
//! watermark back until they can be rated, or are written off.

use crate::delivery::{DeliveryRow, RowId};
use crate::period::Period;
use cleave_kernel::{RevShareId, Timestamp};
use serde::{Deserialize, Serialize};

macro_rules! park_reasons {
    ($($(#[$doc:meta])* $name:ident = $number:literal;)*) => {
        /// Why a row is parked.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(rename_all = "snake_case")]
        pub enum ParkReason {$($(#[$doc])* $name,)*}

        impl ParkReason {
            /// Every reason.
            pub const ALL: &'static [Self] = &[$(Self::$name,)*];

            /// The number that rows carry.
            pub const fn number(self) -> i16 {
                match self {$(Self::$name => $number,)*}
            }
        }
    };
}

park_reasons! {
    /// The version of the line item's terms is not known.
    MissingTerms = 1;
    /// No revenue share covers the ad unit at that hour.
    MissingShare = 2;
    /// The advertiser or the publisher has no account.
    MissingAccount = 3;
    /// The line item and an account differ in currency.
    CurrencyMismatch = 4;
    /// A sum would leave 64 bits.
    Overflow = 5;
    /// The row, or what it is rated by, contradicts itself.
    InvalidRow = 6;
    /// An account it belongs to is closed.
    AccountClosed = 7;
    /// It does not keep the contract, so that not even what it is about is sure.
    Unreadable = 8;
}

impl ParkReason {
    /// The reason behind a stored number.
    pub fn from_number(number: i16) -> Option<Self> {
        Self::ALL.iter().copied().find(|r| r.number() == number)
    }
}

/// Why a row cannot be rated, and what is missing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Obstacle {
    /// Why.
    pub reason: ParkReason,
    /// Which id, version or account is missing.
    pub detail: String,
}

impl Obstacle {
    /// `reason`, with the thing that is missing.
    pub fn new(reason: ParkReason, detail: impl ToString) -> Self {
        Self {
            reason,
            detail: detail.to_string(),
        }
    }
}

/// A row that waits.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ParkedRow {
    /// The row.
    pub row: DeliveryRow,
    /// What it would be rated by, as far as that is known.
    pub rated_by: Option<RatedBy>,
    /// What stands in its way.
    pub obstacle: Obstacle,
    /// When it was first parked.
    pub parked_at: Timestamp,
    /// When it was last tried.
    pub tried_at: Timestamp,
    /// How often it was tried.
    pub tries: i64,
}

/// What a row would be rated by, beside what its own key names.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RatedBy {
    /// The revenue share.
    pub rev_share: RevShareId,
    /// The accounting month it belongs to.
    pub period: Period,
    /// The day of that month.
    pub day: u8,
}

/// A row that does not keep the contract, as far as it could be read. Texts are as they were sent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UnreadableRow {
    /// Names it: that of its key when the key could be read, else one that follows from its bytes.
    pub id: RowId,
    /// Who counted.
    pub source: String,
    /// The line item.
    pub line_item: String,
    /// The version of its terms.
    pub terms_version: i64,
    /// The ad unit.
    pub ad_unit: String,
    /// The hour; [`Timestamp::EPOCH`] when it could not be read, because the row may then be of any hour.
    pub hour: Timestamp,
    /// Its revision.
    pub revision: i64,
    /// The message it came in.
    pub content: Vec<u8>,
    /// What is wrong with it.
    pub problem: String,
}

/// A row that does not keep the contract, put aside.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Quarantined {
    /// The row.
    pub row: UnreadableRow,
    /// When it was first put aside.
    pub parked_at: Timestamp,
    /// When it last came.
    pub seen_at: Timestamp,
    /// How often it came.
    pub times: i64,
}
