//! What Operations has to tell Billing, kept until Billing has answered.

use cleave_kernel::{AdvertiserId, Currency, PublisherId};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::BillingProposal;

/// Whose account is meant.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Party {
    /// An advertiser's.
    Advertiser(AdvertiserId),
    /// A publisher's.
    Publisher(PublisherId),
}

impl Party {
    /// The id as a UUID.
    pub const fn uuid(self) -> Uuid {
        match self {
            Self::Advertiser(id) => id.uuid(),
            Self::Publisher(id) => id.uuid(),
        }
    }
}

impl std::fmt::Display for Party {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Advertiser(id) => id.fmt(f),
            Self::Publisher(id) => id.fmt(f),
        }
    }
}

/// One message to Billing.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "message", rename_all = "snake_case")]
pub enum OutboxMessage {
    /// Open an account.
    OpenAccount {
        /// For whom.
        party: Party,
        /// What people call it.
        display_name: String,
        /// In which currency.
        currency: Currency,
        /// On which terms.
        proposal: BillingProposal,
    },
}
