//! Why a line item does what it does: everything that its status depends on, step by step, also what a
//! weightier reason hides.

use cleave_kernel::Timestamp;
use std::time::Duration;

use crate::lease::Lease;
use crate::line_item_status::{Computed, LineItemStatus, Reason, ReasonCode, StatusFacts, stages};
use crate::named::{Named, named};
use crate::{LineItemKind, Terms};

named! {
    /// What a step looks at.
    pub enum Subject {
        /// What people want of the line item.
        LineItem = "LINE_ITEM",
        /// The campaign and its approval.
        Campaign = "CAMPAIGN",
        /// The advertiser.
        Advertiser = "ADVERTISER",
        /// The terms.
        Terms = "TERMS",
        /// The flights of the line item and of its campaign.
        Flight = "FLIGHT",
        /// Goal and caps against what was delivered.
        Delivery = "DELIVERY",
        /// The advertiser's account with Billing.
        Account = "ACCOUNT",
        /// The lease on Billing's money.
        Lease = "LEASE",
    }
}

named! {
    /// What a step says about serving.
    pub enum Verdict {
        /// Nothing stands in the way.
        Pass = "PASS",
        /// It serves, but less than it could.
        Limit = "LIMIT",
        /// It does not serve because of this.
        Block = "BLOCK",
        /// It does not matter.
        Skip = "SKIP",
    }
}

named! {
    /// Whose fact a step rests on.
    pub enum FactSource {
        /// Operations' own row.
        Operations = "OPERATIONS",
        /// A projection of Billing's.
        Billing = "BILLING",
    }
}

/// One thing that the status depends on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ExplainStep {
    /// What it looks at.
    pub subject: Subject,
    /// The id of the row it looks at; empty when there is none.
    pub subject_id: String,
    /// What it says about serving.
    pub verdict: Verdict,
    /// The state it found.
    pub state: String,
    /// The version of the row at its owner; 0 when it has none.
    pub revision: i64,
    /// When the fact was true at its owner.
    pub as_of: Timestamp,
    /// How long ago that was.
    pub age: Duration,
    /// Whose fact it is.
    pub source: FactSource,
    /// What it adds to the reasons of the status.
    pub reasons: Vec<Reason>,
    /// The same for a person, with the amounts that decide.
    pub message: String,
}

/// Rows that an explanation shows beside the facts of the status.
#[derive(Debug, Clone, Copy, Default)]
pub struct Evidence<'a> {
    /// The newest version of the terms.
    pub terms: Option<&'a Terms>,
    /// The newest lease that was granted, live or not.
    pub lease: Option<&'a Lease>,
}

/// What a step found, before reasons and verdict.
struct Found {
    id: String,
    state: String,
    revision: i64,
    as_of: Timestamp,
    age: Duration,
    source: FactSource,
    message: String,
}

/// Every step, in the order in which they are weighed.
pub fn explain(
    facts: &StatusFacts<'_>,
    evidence: Evidence<'_>,
    now: Timestamp,
) -> Vec<ExplainStep> {
    let computed: Vec<Computed> = stages(facts, now).collect();
    Subject::ALL
        .iter()
        .map(|&subject| {
            let found = find(subject, facts, evidence, now);
            let (reasons, verdict) = judge(subject, &computed, facts);
            ExplainStep {
                subject,
                subject_id: found.id,
                verdict,
                state: found.state,
                revision: found.revision,
                as_of: found.as_of,
                age: found.age,
                source: found.source,
                message: message(found.message, &reasons),
                reasons,
            }
        })
        .collect()
}

/// The reasons about `subject`, and what they amount to.
fn judge(
    subject: Subject,
    computed: &[Computed],
    facts: &StatusFacts<'_>,
) -> (Vec<Reason>, Verdict) {
    let needs_money = facts.line_item.kind != LineItemKind::House;
    if !needs_money && matches!(subject, Subject::Account | Subject::Lease) {
        return (Vec::new(), Verdict::Skip);
    }
    let mut reasons = Vec::new();
    let mut verdict = Verdict::Pass;
    for stage in computed {
        for reason in &stage.reasons {
            if subject_of(reason.code) != subject {
                continue;
            }
            let limits =
                stage.status == LineItemStatus::Limited || reason.code == ReasonCode::StandingStale;
            verdict = match (verdict, limits) {
                (Verdict::Block, _) | (_, false) => Verdict::Block,
                (Verdict::Pass | Verdict::Limit | Verdict::Skip, true) => Verdict::Limit,
            };
            reasons.push(reason.clone());
        }
    }
    (reasons, verdict)
}

const fn subject_of(code: ReasonCode) -> Subject {
    match code {
        ReasonCode::LineItemDraft | ReasonCode::LineItemPaused | ReasonCode::LineItemRemoved => {
            Subject::LineItem
        }
        ReasonCode::CampaignNotApproved | ReasonCode::CampaignStopped => Subject::Campaign,
        ReasonCode::AdvertiserPendingBilling
        | ReasonCode::AdvertiserSuspended
        | ReasonCode::AdvertiserArchived => Subject::Advertiser,
        ReasonCode::TermsMissing => Subject::Terms,
        ReasonCode::FlightNotStarted | ReasonCode::FlightEnded => Subject::Flight,
        ReasonCode::GoalReached | ReasonCode::LifetimeCapReached | ReasonCode::DailyCapReached => {
            Subject::Delivery
        }
        ReasonCode::AccountUnknown
        | ReasonCode::AccountOnHold
        | ReasonCode::AccountStop
        | ReasonCode::AccountBlocked
        | ReasonCode::StandingStale => Subject::Account,
        ReasonCode::FundsExhausted
        | ReasonCode::LeasePending
        | ReasonCode::LeaseExpired
        | ReasonCode::BillingUnreachable
        | ReasonCode::LeaseUsedUp => Subject::Lease,
    }
}

fn find(
    subject: Subject,
    facts: &StatusFacts<'_>,
    evidence: Evidence<'_>,
    now: Timestamp,
) -> Found {
    let (item, campaign, owner) = (facts.line_item, facts.campaign, facts.advertiser);
    match subject {
        Subject::LineItem => own(
            item.id.to_string(),
            item.state.name(),
            item.stamp.version,
            now,
        )
        .saying(format!("people want it {}", item.state)),
        Subject::Campaign => own(
            campaign.id.to_string(),
            campaign.state.name(),
            campaign.stamp.version,
            now,
        )
        .saying(format!("the campaign is {}", campaign.state)),
        Subject::Advertiser => own(
            owner.id.to_string(),
            owner.state.name(),
            owner.stamp.version,
            now,
        )
        .saying(format!("the advertiser is {}", owner.state)),
        Subject::Terms => terms(facts, evidence.terms, now),
        Subject::Flight => flight(facts, now),
        Subject::Delivery => delivery(facts, now),
        Subject::Account => account(facts, now),
        Subject::Lease => lease(facts, evidence.lease, now),
    }
}

fn own(id: String, state: &str, revision: i64, now: Timestamp) -> Found {
    Found {
        id,
        state: state.to_owned(),
        revision,
        as_of: now,
        age: Duration::ZERO,
        source: FactSource::Operations,
        message: String::new(),
    }
}

impl Found {
    fn saying(self, message: String) -> Self {
        Self { message, ..self }
    }
}

fn terms(facts: &StatusFacts<'_>, terms: Option<&Terms>, now: Timestamp) -> Found {
    let version = facts.line_item.terms_version;
    let Some(terms) = terms else {
        return own(String::new(), "", version, now).saying("no terms are published".to_owned());
    };
    let spec = &terms.spec;
    own(
        terms.line_item_id.to_string(),
        spec.model.name(),
        terms.version,
        now,
    )
    .saying(format!(
        "{} at {} {} per {}",
        spec.model, spec.rate, terms.currency, spec.unit
    ))
}

fn flight(facts: &StatusFacts<'_>, now: Timestamp) -> Found {
    let (item, campaign) = (facts.line_item.flight, facts.campaign.flight);
    let starts = Ord::max(item.starts_at, campaign.starts_at);
    let ends = [item.ends_at, campaign.ends_at].into_iter().flatten().min();
    let state = if item.over(now) || campaign.over(now) {
        "OVER"
    } else if now < starts {
        "NOT_STARTED"
    } else {
        "RUNNING"
    };
    let until = ends.map_or_else(|| "no end".to_owned(), |end| end.to_string());
    own(facts.line_item.id.to_string(), state, 0, now)
        .saying(format!("it flies from {starts} to {until}"))
}

fn delivery(facts: &StatusFacts<'_>, now: Timestamp) -> Found {
    let (delivered, limits) = (facts.delivered, facts.line_item.limits);
    let mut message = format!(
        "{} are delivered, worth {} {}, {} of it today",
        delivered.quantity, delivered.served, facts.line_item.currency, delivered.served_today
    );
    let limits = [
        ("goal", limits.goal.map(|goal| goal.to_string())),
        ("daily cap", limits.daily_cap.map(|cap| cap.to_string())),
        (
            "lifetime cap",
            limits.lifetime_cap.map(|cap| cap.to_string()),
        ),
    ];
    for (name, limit) in limits {
        if let Some(limit) = limit {
            message.push_str(&format!("; {name} {limit}"));
        }
    }
    own(facts.line_item.id.to_string(), "", 0, now).saying(message)
}

fn account(facts: &StatusFacts<'_>, now: Timestamp) -> Found {
    let Some(known) = facts.account else {
        let unknown = own(String::new(), "UNKNOWN", 0, now);
        return Found {
            source: FactSource::Billing,
            ..unknown.saying("billing has not told of an account".to_owned())
        };
    };
    let account = &known.account;
    Found {
        id: account.account.to_string(),
        state: account.standing.name().to_owned(),
        revision: account.revision,
        as_of: now.minus(known.age),
        age: known.age,
        source: FactSource::Billing,
        message: format!(
            "the account is {} and stands {}: {} {} are free, {} held, {} on credit",
            account.state,
            account.standing,
            account.available,
            account.currency,
            account.held,
            account.credit_limit
        ),
    }
}

fn lease(facts: &StatusFacts<'_>, newest: Option<&Lease>, now: Timestamp) -> Found {
    let Some(lease) = newest else {
        return own(String::new(), "NONE", 0, now).saying("there was no lease yet".to_owned());
    };
    let heard = lease.granted_at.unwrap_or(lease.planned_at);
    let left = facts.lease.map(|known| known.left).unwrap_or_default();
    Found {
        id: lease
            .reservation
            .map(|reservation| reservation.to_string())
            .unwrap_or_default(),
        state: lease.state.name().to_owned(),
        revision: 0,
        as_of: heard,
        age: now.since(heard),
        source: FactSource::Billing,
        message: format!(
            "{left} {} may be served; the newest lease was granted {} until {}",
            facts.line_item.currency, lease.granted, lease.serve_until
        ),
    }
}

fn message(found: String, reasons: &[Reason]) -> String {
    // A reason may say what was found in the same words.
    reasons
        .iter()
        .filter(|reason| reason.message != found)
        .fold(found.clone(), |text, reason| {
            format!("{text}; {}", reason.message)
        })
}

#[cfg(test)]
#[path = "explain_tests.rs"]
mod tests;
