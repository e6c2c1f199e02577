//! Transfers: immutable movements of money, and groups of them that are posted together or not at all.

use crate::chart::LedgerKey;
use crate::period::Period;
use cleave_kernel::{LedgerAccountId, Micros, ReservationId, Timestamp, TransferId};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

/// What a transfer does to the counters.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    /// Moves the amount at once.
    Single,
    /// Holds the amount on both sides.
    Pending,
    /// Moves part or all of what a pending transfer still holds.
    Post,
    /// Frees part or all of what a pending transfer still holds.
    Void,
}

macro_rules! reasons {
    ($($(#[$doc:meta])* $name:ident = $number:literal, $word:literal;)*) => {
        /// Why money moved.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
        #[serde(rename_all = "snake_case")]
        pub enum Reason {$($(#[$doc])* $name,)*}

        impl Reason {
            /// Every reason.
            pub const ALL: &'static [Self] = &[$(Self::$name,)*];

            /// The number that rows carry.
            pub const fn number(self) -> i16 {
                match self {$(Self::$name => $number,)*}
            }

            /// The word that messages carry.
            pub const fn word(self) -> &'static str {
                match self {$(Self::$name => $word,)*}
            }
        }
    };
}

reasons! {
    /// Money came in.
    Payment = 1, "PAYMENT";
    /// Money was held for a line item.
    Lease = 2, "LEASE";
    /// A hold was given back by its holder.
    Release = 3, "RELEASE";
    /// A hold ran out.
    Expiry = 4, "EXPIRY";
    /// Delivery was charged to its advertiser.
    Charge = 5, "CHARGE";
    /// A publisher earned its share.
    Earning = 6, "EARNING";
    /// The platform kept its share.
    Revenue = 7, "REVENUE";
    /// Delivery was billed that nothing covered.
    Unfunded = 8, "UNFUNDED";
    /// The platform carries delivery beyond the cap, or beyond the funds.
    Overdelivery = 9, "OVERDELIVERY";
    /// A favour, or a make-good.
    Goodwill = 10, "GOODWILL";
    /// A settled difference between two counts.
    Discrepancy = 11, "DISCREPANCY";
    /// Invalid traffic found late.
    InvalidTraffic = 12, "INVALID_TRAFFIC";
    /// A charge that will never be paid.
    BadDebt = 13, "BAD_DEBT";
    /// Earnings taken back.
    Clawback = 14, "CLAWBACK";
    /// Delivery that nothing had covered was charged after all.
    Settlement = 15, "SETTLEMENT";
    /// An account that has closed was emptied of what a row written off had left on it.
    WriteOff = 16, "WRITE_OFF";
}

impl Reason {
    /// The reason behind a stored number.
    pub fn from_number(number: i16) -> Option<Self> {
        Self::ALL
            .iter()
            .copied()
            .find(|reason| reason.number() == number)
    }
}

impl Kind {
    /// The number that rows carry.
    pub const fn number(self) -> i16 {
        match self {
            Self::Single => 1,
            Self::Pending => 2,
            Self::Post => 3,
            Self::Void => 4,
        }
    }

    /// The kind behind a stored number.
    pub const fn from_number(number: i16) -> Option<Self> {
        match number {
            1 => Some(Self::Single),
            2 => Some(Self::Pending),
            3 => Some(Self::Post),
            4 => Some(Self::Void),
            _ => None,
        }
    }
}

/// One movement of money. Immutable; a correction is another transfer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Transfer {
    /// Names it. A pending transfer has the UUID of its reservation.
    pub id: TransferId,
    /// Where the money comes from.
    pub debit: LedgerAccountId,
    /// Where it goes.
    pub credit: LedgerAccountId,
    /// How much: always positive.
    pub amount: Micros,
    /// What it does to the counters.
    pub kind: Kind,
    /// The pending transfer that a post or a void draws from.
    pub pending: Option<TransferId>,
    /// The group it was posted with.
    pub group: Uuid,
    /// When it was booked.
    pub booked_at: Timestamp,
    /// The accounting month it was booked into.
    pub period: Period,
    /// What caused it.
    pub source_ref: String,
    /// Why.
    pub reason: Reason,
}

/// A movement that a rule wants made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Draft {
    Single {
        debit: LedgerKey,
        credit: LedgerKey,
        amount: Micros,
        reason: Reason,
    },
    Hold {
        reservation: ReservationId,
        amount: Micros,
        reason: Reason,
    },
    Draw {
        reservation: ReservationId,
        amount: Micros,
        reason: Reason,
    },
    Free {
        reservation: ReservationId,
        amount: Micros,
        reason: Reason,
    },
}

/// Movements that happen together or not at all, for one cause.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Group {
    pub(crate) drafts: Vec<Draft>,
    /// From which draft on each source is named.
    sources: Vec<(usize, String)>,
}

impl Group {
    /// An empty group caused by `source_ref`.
    pub fn new(source_ref: impl Into<String>) -> Self {
        Self {
            drafts: Vec::new(),
            sources: vec![(0, source_ref.into())],
        }
    }

    /// Names the source of the movements that are added from here on.
    pub fn about(&mut self, source_ref: impl Into<String>) {
        self.sources.push((self.drafts.len(), source_ref.into()));
    }

    /// The drafts, each with what caused it.
    pub(crate) fn sourced(&self) -> impl Iterator<Item = (&str, &Draft)> {
        let mut later = self.sources.iter().peekable();
        let mut source = "";
        self.drafts.iter().enumerate().map(move |(index, draft)| {
            while let Some((_, named)) = later.next_if(|(from, _)| *from <= index) {
                source = named;
            }
            (source, draft)
        })
    }

    /// Moves `amount` at once. A negative amount moves the other way, none at all is left out.
    pub fn single(&mut self, debit: LedgerKey, credit: LedgerKey, amount: Micros, reason: Reason) {
        if amount.is_zero() {
            return;
        }
        let (debit, credit, amount) = match amount.checked_neg() {
            Ok(positive) if amount.is_negative() => (credit, debit, positive),
            // The most negative amount has no opposite: it stays as it is, and the book refuses it.
            _ => (debit, credit, amount),
        };
        self.drafts.push(Draft::Single {
            debit,
            credit,
            amount,
            reason,
        });
    }

    /// Charges `amount` against a reservation.
    pub fn draw(&mut self, reservation: ReservationId, amount: Micros, reason: Reason) {
        if !amount.is_zero() {
            self.drafts.push(Draft::Draw {
                reservation,
                amount,
                reason,
            });
        }
    }

    pub(crate) fn hold(&mut self, reservation: ReservationId, amount: Micros, reason: Reason) {
        self.drafts.push(Draft::Hold {
            reservation,
            amount,
            reason,
        });
    }

    pub(crate) fn free(&mut self, reservation: ReservationId, amount: Micros, reason: Reason) {
        if !amount.is_zero() {
            self.drafts.push(Draft::Free {
                reservation,
                amount,
                reason,
            });
        }
    }

    /// Whether nothing would move.
    pub fn is_empty(&self) -> bool {
        self.drafts.is_empty()
    }
}
