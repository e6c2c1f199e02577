//! Why Operations refuses a change. A refusal is an outcome: it is stored with the request and answered again.

use cleave_kernel::{Micros, Timestamp, Violation, Violations};
use serde::{Deserialize, Serialize};
use std::borrow::Cow;

use crate::Kind;

/// One field that cannot be accepted, in a form that can be stored.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct FieldFault {
    /// Path of the field in the request.
    pub field: String,
    /// Machine-readable reason.
    pub reason: String,
    /// The same for a person.
    pub description: String,
}

/// A definitive refusal.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, thiserror::Error)]
#[serde(tag = "refusal", rename_all = "snake_case")]
pub enum Refusal {
    /// Fields that cannot be accepted beside the rows they meet.
    #[error("{}", join(faults))]
    Invalid {
        /// Each of them.
        faults: Vec<FieldFault>,
    },
    /// Nothing has the id.
    #[error("{kind} {id} does not exist")]
    NotFound {
        /// What was looked for.
        kind: Kind,
        /// Under which id.
        id: String,
    },
    /// A value that must be unique is taken.
    #[error("a {kind} with this {field} exists already: {}", holder.as_deref().unwrap_or("created just now"))]
    Exists {
        /// What holds it.
        kind: Kind,
        /// Which one, when known.
        holder: Option<String>,
        /// The field that must be unique.
        field: String,
    },
    /// The row changed since it was read.
    #[error("{kind} {id} has changed since its etag was read: read it again")]
    Stale {
        /// What changed.
        kind: Kind,
        /// Which one.
        id: String,
    },
    /// The state does not allow the action.
    #[error("{kind} {id} is {state}: it cannot {action}")]
    State {
        /// What it is.
        kind: Kind,
        /// Which one.
        id: String,
        /// Its state.
        state: String,
        /// What was asked for.
        action: String,
    },
    /// The state of something above does not allow the action.
    #[error("{kind} {id} is {state}: nothing of it can {action}")]
    ParentState {
        /// What it is.
        kind: Kind,
        /// Which one.
        id: String,
        /// Its state.
        state: String,
        /// What was asked for.
        action: String,
    },
    /// Billing has not opened the account yet.
    #[error("Billing has not opened the account of {kind} {id} yet")]
    BillingAccountPending {
        /// Whose account.
        kind: Kind,
        /// Which one.
        id: String,
    },
    /// The account's standing forbids it.
    #[error("the account of {advertiser_id} is {standing}: nothing new is activated")]
    AccountStanding {
        /// Whose account.
        advertiser_id: String,
        /// Its standing.
        standing: String,
    },
    /// What is known of the account is too old to decide on.
    #[error(
        "what is known of the account of {advertiser_id} is {age_seconds} s old, too old to activate anything"
    )]
    StandingStale {
        /// Whose account.
        advertiser_id: String,
        /// How old.
        age_seconds: u64,
    },
    /// Maker and checker are one.
    #[error("{actor} asked for {approval_id} and may not decide on it")]
    SelfApproval {
        /// The request.
        approval_id: String,
        /// Who.
        actor: String,
    },
    /// Nothing to approve.
    #[error("campaign {campaign_id} has no line item with published terms")]
    CampaignIncomplete {
        /// The campaign.
        campaign_id: String,
    },
    /// Caps beyond the budget.
    #[error("the line items of {campaign_id} may spend {caps}, its budget is {budget}")]
    BudgetExceeded {
        /// The campaign.
        campaign_id: String,
        /// Its budget.
        budget: Micros,
        /// The sum of the caps.
        caps: Micros,
    },
    /// Nothing to serve under.
    #[error("line item {line_item_id} has no published terms")]
    TermsMissing {
        /// The line item.
        line_item_id: String,
    },
    /// A part of the terms that stays.
    #[error("{field} of the terms of {line_item_id} cannot change once the campaign was approved")]
    TermsFrozen {
        /// The line item.
        line_item_id: String,
        /// The part.
        field: String,
    },
    /// Not after the last version.
    #[error(
        "version {latest_version} takes effect at {latest_effective}: a new one must take effect later"
    )]
    VersionOrder {
        /// The last version.
        latest_version: i64,
        /// When it takes effect.
        latest_effective: Timestamp,
    },
    /// Delivery has been earned under what holds now.
    #[error("{ad_unit_id} has delivery at {hour} under the present share")]
    ShareInUse {
        /// Where.
        ad_unit_id: String,
        /// The last such hour.
        hour: Timestamp,
    },
    /// No share covers the ad unit.
    #[error("no revenue share covers {ad_unit_id} at {at}")]
    RevShareUnresolved {
        /// Where.
        ad_unit_id: String,
        /// When.
        at: Timestamp,
    },
    /// A source has not reported far enough.
    #[error("{source_name} has not reported completely through the instant")]
    DeliveryIncomplete {
        /// The source.
        source_name: String,
        /// How far it has reported.
        complete_through: Option<Timestamp>,
    },
}

impl Refusal {
    /// One field that cannot be accepted.
    pub fn field(
        field: &str,
        reason: impl Into<Cow<'static, str>>,
        description: impl Into<String>,
    ) -> Self {
        Violation::new(field, reason, description).into()
    }
}

impl From<Violation> for Refusal {
    fn from(violation: Violation) -> Self {
        Violations::from(violation).into()
    }
}

impl From<Violations> for Refusal {
    fn from(violations: Violations) -> Self {
        let fault = |violation: Violation| FieldFault {
            field: violation.field,
            reason: violation.reason.into_owned(),
            description: violation.description,
        };
        Self::Invalid {
            faults: violations.into_iter().map(fault).collect(),
        }
    }
}

impl From<FieldFault> for Violation {
    fn from(fault: FieldFault) -> Self {
        Self::new(fault.field, fault.reason, fault.description)
    }
}

fn join(faults: &[FieldFault]) -> String {
    let parts: Vec<String> = faults
        .iter()
        .map(|fault| format!("{}: {}", fault.field, fault.description))
        .collect();
    parts.join("; ")
}
