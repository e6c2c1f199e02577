//! What a command answers: stored with its request, so that a repeated request gets the same answer.

use crate::account::Account;
use crate::adjustment::Adjustment;
use crate::funding::Settlement;
use crate::payment::Recorded;
use crate::rate_delivery::RateReport;
use crate::reserve::{Released, Reserved};
use serde::{Deserialize, Serialize};

/// What a command did.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Outcome {
    /// An account as it is after the command.
    Account(Box<Account>),
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
}
