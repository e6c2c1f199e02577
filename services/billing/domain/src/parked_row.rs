//! Delivery rows that cannot be rated yet. They are never guessed at: they wait, are tried again, and hold the
//! watermark back.

use crate::delivery::DeliveryRow;
use cleave_kernel::Timestamp;

macro_rules! park_reasons {
    ($($(#[$doc:meta])* $name:ident = $number:literal;)*) => {
        /// Why a row is parked.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
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
    /// What stands in its way.
    pub obstacle: Obstacle,
    /// When it was first parked.
    pub parked_at: Timestamp,
    /// When it was last tried.
    pub tried_at: Timestamp,
    /// How often it was tried.
    pub tries: i64,
}
