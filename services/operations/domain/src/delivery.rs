//! Reported delivery: cumulative snapshots of what was served in an hour, each replacing the one before it.
//!
//! A row says how much there is by now, never how much came on top. So rows may be sent twice, late, in any
//! order and in any batches: per key the highest revision stands.

use cleave_kernel::{AdUnitId, LineItemId, Timestamp, Violation};
use serde::{Deserialize, Serialize};
use std::time::Duration;

use crate::named::named;

pub use crate::delivery_counts::DeliveryCounts;
pub use crate::source_name::SourceName;

/// No delivery lies before 2000-01-01T00:00:00Z.
pub const EARLIEST_HOUR: Timestamp = Timestamp::from_micros(946_684_800_000_000);
/// One hour.
pub const HOUR: Duration = Duration::from_secs(3600);

/// How far the clock of a source may run ahead of ours.
const CLOCK_SKEW: Duration = Duration::from_secs(300);

named! {
    /// Why a row was reported.
    pub enum DeliveryReason {
        /// As it happens, before the source calls the hour complete.
        Live = "LIVE",
        /// Counted after the hour was called complete.
        Late = "LATE",
        /// Invalid traffic was found.
        Ivt = "IVT",
        /// A measurement partner rejected conversions.
        MmpReject = "MMP_REJECT",
        /// Two counts were reconciled.
        Discrepancy = "DISCREPANCY",
        /// The past was filled in.
        Backfill = "BACKFILL",
    }
}

named! {
    /// Whether a plain report may still change a row.
    pub enum DeliveryState {
        /// It may.
        Provisional = "PROVISIONAL",
        /// Its hour is frozen: only a row that gives a reason other than `Live` may.
        Frozen = "FROZEN",
    }
}

/// What a row counts: one line item under one version of its terms on one ad unit in one hour.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct DeliveryKey {
    /// Who counted.
    pub source: SourceName,
    /// What was served.
    pub line_item: LineItemId,
    /// The version of its terms that it was served under.
    pub terms_version: i64,
    /// Where it was served.
    pub ad_unit: AdUnitId,
    /// The start of the UTC hour.
    pub hour: Timestamp,
}

/// One reported row.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct DeliveryRow {
    /// What it counts.
    pub key: DeliveryKey,
    /// Grows with every new snapshot of the key; at least 1.
    pub revision: i64,
    /// What was counted.
    pub counts: DeliveryCounts,
    /// Why it was sent.
    pub reason: DeliveryReason,
}

impl DeliveryRow {
    /// What is wrong with the row in itself, whatever is stored.
    ///
    /// # Errors
    /// The first fault found.
    pub fn check(&self, now: Timestamp) -> Result<(), RowRefusal> {
        let malformed = |field: &str, description: String| {
            Err(RowRefusal::InvalidField(Violation::new(
                field,
                "OUT_OF_RANGE",
                description,
            )))
        };
        if self.revision < 1 {
            return malformed("revision", format!("{} is less than 1", self.revision));
        }
        if self.key.terms_version < 1 {
            let version = self.key.terms_version;
            return malformed("key.terms_version", format!("{version} is less than 1"));
        }
        let hour = self.key.hour;
        if !hour.starts_hour() || hour < EARLIEST_HOUR || hour > now.plus(CLOCK_SKEW) {
            return Err(RowRefusal::InvalidHour);
        }
        match self.counts.fault() {
            Some(violation) => Err(RowRefusal::InvalidCounts(violation.under("counts"))),
            None => Ok(()),
        }
    }

    /// What becomes of the row, given what is stored. A repeated row is stale before anything else, so that a
    /// report may always be sent again as a whole.
    pub fn admit(&self, stored_revision: Option<i64>, gates: &Gates) -> Admission {
        match stored_revision {
            Some(stored) if self.revision <= stored => Admission::Stale,
            _ if self.reason == DeliveryReason::Live && gates.frozen(self.key.hour) => {
                Admission::Refused(RowRefusal::Frozen)
            }
            _ if self.reason == DeliveryReason::Live && gates.complete(self.key.hour) => {
                Admission::Refused(RowRefusal::BehindWatermark)
            }
            Some(_) => Admission::Update,
            None => Admission::Insert,
        }
    }
}

/// The instants before which the past is settled.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Gates {
    /// Every hour before it is frozen.
    pub frozen_through: Option<Timestamp>,
    /// The source called every hour before it complete.
    pub complete_through: Option<Timestamp>,
}

impl Gates {
    /// Whether `hour` is frozen.
    pub fn frozen(&self, hour: Timestamp) -> bool {
        self.frozen_through.is_some_and(|through| hour < through)
    }

    /// Whether the source called `hour` complete.
    pub fn complete(&self, hour: Timestamp) -> bool {
        self.complete_through.is_some_and(|through| hour < through)
    }

    /// The state of rows of `hour`.
    pub fn state(&self, hour: Timestamp) -> DeliveryState {
        if self.frozen(hour) {
            DeliveryState::Frozen
        } else {
            DeliveryState::Provisional
        }
    }
}

/// What becomes of a reported row.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Admission {
    /// It is the first of its key.
    Insert,
    /// It replaces an older revision.
    Update,
    /// A revision as high is stored already; nothing changes.
    Stale,
    /// It cannot be taken.
    Refused(RowRefusal),
}

/// Why a row cannot be taken.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum RowRefusal {
    /// A field can never be valid.
    #[error("{0}")]
    InvalidField(Violation),
    /// A count is out of bounds, or a part exceeds its total.
    #[error("{0}")]
    InvalidCounts(Violation),
    /// The hour is none, or has not begun.
    #[error("the hour is not the start of a UTC hour between the year 2000 and now")]
    InvalidHour,
    /// The row names another source than its report.
    #[error("the row names another source than its batch")]
    WrongSource,
    /// Another row of the same batch has the key.
    #[error("an earlier row of the batch has the same key")]
    DuplicateKey,
    /// There is no such line item.
    #[error("the line item does not exist")]
    UnknownLineItem,
    /// The line item has no such version of its terms.
    #[error("the line item has no such version of its terms")]
    UnknownTerms,
    /// There is no such ad unit.
    #[error("the ad unit does not exist")]
    UnknownAdUnit,
    /// The hour is frozen.
    #[error("the hour is frozen: only a row with a reason other than LIVE may change it")]
    Frozen,
    /// The source called the hour complete.
    #[error(
        "the hour was reported complete: only a row with a reason other than LIVE may change it"
    )]
    BehindWatermark,
}

impl RowRefusal {
    /// The field at fault, from the root of the row; empty when no single one is.
    pub fn field(&self) -> &str {
        match self {
            Self::InvalidField(violation) | Self::InvalidCounts(violation) => &violation.field,
            Self::InvalidHour | Self::Frozen | Self::BehindWatermark => "key.hour",
            Self::WrongSource => "key.source",
            Self::UnknownLineItem => "key.line_item_id",
            Self::UnknownTerms => "key.terms_version",
            Self::UnknownAdUnit => "key.ad_unit_id",
            Self::DuplicateKey => "",
        }
    }
}

#[cfg(test)]
#[path = "delivery_tests.rs"]
mod tests;
