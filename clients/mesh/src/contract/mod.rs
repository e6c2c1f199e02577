//! Contracts as their two sides know them, and whether one side understands the other.
//!
//! The contracts' build script writes a fingerprint of each method into the policy table, and the
//! [`shape`] of all of them beside it. A server tells its own by the [`messages`] of
//! `cleave.mesh.v1.ContractService`; a caller compares fingerprints when a connection opens, and
//! [`compare`]s shapes where they differ.

mod compare;
mod fields;
mod judgement;
mod kinds;
mod marks;
pub mod messages;
mod notes;
mod outline;
mod rules;
pub mod shape;
#[cfg(test)]
mod tests;

pub use compare::{Malformed, Side, compare};
pub use judgement::{ContractState, Skew};

pub(crate) use judgement::{Judgement, Prospect};
pub(crate) use outline::Outline;

use serde::Serialize;
use std::fmt;

/// How well a writer and a reader of different contracts understand each other, from best to worst. The
/// distinctions are protobuf's own: <https://protobuf.dev/programming-guides/proto3/#updating>.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Level {
    /// In full: there is no difference.
    Same,
    /// In full, although there are differences ("wire-safe").
    Safe,
    /// As long as certain values are not used ("wire-compatible", "conditionally safe").
    Conditional,
    /// Not at all ("wire-unsafe").
    Unsafe,
}

impl Level {
    /// Its name in metrics and states.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Same => "same",
            Self::Safe => "safe",
            Self::Conditional => "conditional",
            Self::Unsafe => "unsafe",
        }
    }
}

/// One thing in which two contracts differ.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finding {
    /// What it does to those who use them.
    pub level: Level,
    /// Where it is, such as `request.order.total_micros (2)`.
    pub place: String,
    /// What it is.
    pub problem: String,
}

impl Finding {
    fn new(level: Level, place: &str, problem: String) -> Self {
        Self {
            level,
            place: place.to_owned(),
            problem,
        }
    }

    /// The same for a field of the message at this place.
    fn at(place: &str, field: &shape::FieldShape, level: Level, problem: String) -> Self {
        let place = format!("{place}.{} ({})", field.name, field.number);
        Self::new(level, &place, problem)
    }
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.place, self.problem)
    }
}
