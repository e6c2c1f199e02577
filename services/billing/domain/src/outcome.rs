//! What a command answers: stored with its request, so that a repeated request gets the same answer.

use crate::account::Account;
use crate::adjustment::Adjustment;
use crate::funding::Settlement;
use crate::payment::Recorded;
use crate::rate_delivery::RateReport;
use crate::reserve::{Released, Reserved};
use crate::standing::Standing;
use crate::write_off::WrittenOff;
use serde::{Deserialize, Serialize};

/// An account as a command left it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Changed {
    /// The account.
    pub account: Account,
    /// What it might do then.
    pub standing: Standing,
}

/// What a command did.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Outcome {
    /// An account was changed.
    Changed(Box<Changed>),
    /// A payment was recorded.
    Recorded(Box<Recorded>),
    /// An adjustment was posted.
    Adjusted(Box<Adjustment>),
    /// A reservation was granted.
    Reserved(Box<Reserved>),
    /// A reservation was released.
    Released(Box<Released>),
    /// So many things moved on because their time had passed.
    Expired(u64),
    /// Delivery was rated.
    Rated(RateReport),
    /// Unfunded delivery was decided on.
    Settled(Settlement),
    /// Rows were written off.
    WrittenOff(Box<WrittenOff>),
}
