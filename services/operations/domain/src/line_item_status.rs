//! What a line item does, and why: a pure function of everything it depends on.

use cleave_kernel::Timestamp;
use serde::{Deserialize, Serialize};
use std::time::Duration;

use crate::account::{AccountFacts, AccountStanding, ServingStop, may_serve};
use crate::delivery_total::DeliveredFacts;
use crate::lease::LeaseFacts;
use crate::named::named;
use crate::{
    Advertiser, AdvertiserState, Campaign, CampaignState, LineItem, LineItemKind, LineItemState,
};

/// Beyond this age what is known of an account is called old.
pub const STANDING_FRESH: Duration = Duration::from_secs(60);

named! {
    /// What a line item does.
    pub enum LineItemStatus {
        /// People are still writing it.
        Draft = "DRAFT",
        /// People stopped it.
        Paused = "PAUSED",
        /// People took it out.
        Removed = "REMOVED",
        /// Something above it or ahead of it is missing.
        Pending = "PENDING",
        /// Waits for its first lease.
        Ready = "READY",
        /// Serves on a live lease.
        Delivering = "DELIVERING",
        /// Serves, but less than it could.
        Limited = "LIMITED",
        /// Billing grants it no money.
        NoBudget = "NO_BUDGET",
        /// The account's standing stops it.
        AccountHold = "ACCOUNT_HOLD",
        /// Reached its goal or its lifetime cap.
        Completed = "COMPLETED",
        /// Its flight or campaign is over.
        Ended = "ENDED",
    }
}

named! {
    /// One reason for a status.
    pub enum ReasonCode {
        /// It is a draft.
        LineItemDraft = "LINE_ITEM_DRAFT",
        /// People paused it.
        LineItemPaused = "LINE_ITEM_PAUSED",
        /// People removed it.
        LineItemRemoved = "LINE_ITEM_REMOVED",
        /// The campaign is not approved.
        CampaignNotApproved = "CAMPAIGN_NOT_APPROVED",
        /// The campaign was canceled or put away.
        CampaignStopped = "CAMPAIGN_STOPPED",
        /// Billing has not opened the account yet.
        AdvertiserPendingBilling = "ADVERTISER_PENDING_BILLING",
        /// The advertiser is suspended.
        AdvertiserSuspended = "ADVERTISER_SUSPENDED",
        /// The advertiser is archived.
        AdvertiserArchived = "ADVERTISER_ARCHIVED",
        /// No terms are published.
        TermsMissing = "TERMS_MISSING",
        /// The flight has not started.
        FlightNotStarted = "FLIGHT_NOT_STARTED",
        /// The flight is over.
        FlightEnded = "FLIGHT_ENDED",
        /// The goal is reached.
        GoalReached = "GOAL_REACHED",
        /// The lifetime cap is reached.
        LifetimeCapReached = "LIFETIME_CAP_REACHED",
        /// Today's cap is reached.
        DailyCapReached = "DAILY_CAP_REACHED",
        /// Nothing was heard of the account.
        AccountUnknown = "ACCOUNT_UNKNOWN",
        /// What runs goes on, nothing new starts.
        AccountOnHold = "ACCOUNT_ON_HOLD",
        /// The same, and nothing new is drafted.
        AccountStop = "ACCOUNT_STOP",
        /// Everything stops.
        AccountBlocked = "ACCOUNT_BLOCKED",
        /// What is known of the account is old.
        StandingStale = "STANDING_STALE",
        /// Billing refused money.
        FundsExhausted = "FUNDS_EXHAUSTED",
        /// The first lease is being asked for.
        LeasePending = "LEASE_PENDING",
        /// The last lease has run out.
        LeaseExpired = "LEASE_EXPIRED",
        /// Billing cannot be reached.
        BillingUnreachable = "BILLING_UNREACHABLE",
        /// The lease is used up.
        LeaseUsedUp = "LEASE_USED_UP",
    }
}

/// A reason with its sentence.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Reason {
    /// What it is.
    pub code: ReasonCode,
    /// The same for a person.
    pub message: String,
}

/// A status and why.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Computed {
    /// What the line item does.
    pub status: LineItemStatus,
    /// Why, the weightiest reason first.
    pub reasons: Vec<Reason>,
}

/// Everything that a status depends on.
#[derive(Debug, Clone, Copy)]
pub struct StatusFacts<'a> {
    /// The line item.
    pub line_item: &'a LineItem,
    /// Its campaign.
    pub campaign: &'a Campaign,
    /// Its advertiser.
    pub advertiser: &'a Advertiser,
    /// The advertiser's account, as far as is known.
    pub account: Option<&'a AccountFacts>,
    /// Its leases.
    pub lease: Option<&'a LeaseFacts>,
    /// What it has delivered.
    pub delivered: DeliveredFacts,
}

/// What the line item does at `now`, and why.
pub fn compute(facts: &StatusFacts<'_>, now: Timestamp) -> Computed {
    stages(facts, now).next().unwrap_or(Computed {
        status: LineItemStatus::Delivering,
        reasons: Vec::new(),
    })
}

/// What each stage has to say by itself, the weightiest first; an explanation also tells what lies behind it.
pub(crate) fn stages(facts: &StatusFacts<'_>, now: Timestamp) -> impl Iterator<Item = Computed> {
    [intent, over, pending, today, money]
        .into_iter()
        .filter_map(move |stage| stage(facts, now))
}

type Decided = Option<Computed>;

/// People do not want it to run.
fn intent(facts: &StatusFacts<'_>, _: Timestamp) -> Decided {
    let (status, code, message) = match facts.line_item.state {
        LineItemState::Enabled => return None,
        LineItemState::Draft => (
            LineItemStatus::Draft,
            ReasonCode::LineItemDraft,
            "the line item is a draft: enable it",
        ),
        LineItemState::Paused => (
            LineItemStatus::Paused,
            ReasonCode::LineItemPaused,
            "the line item is paused",
        ),
        LineItemState::Removed => (
            LineItemStatus::Removed,
            ReasonCode::LineItemRemoved,
            "the line item was removed",
        ),
    };
    decided(status, vec![reason(code, message)])
}

/// Nothing will make it run again by itself.
fn over(facts: &StatusFacts<'_>, now: Timestamp) -> Decided {
    let item = facts.line_item;
    let mut ended = Vec::new();
    if let CampaignState::Canceled | CampaignState::Archived = facts.campaign.state {
        let message = format!("the campaign is {}", facts.campaign.state);
        ended.push(reason(ReasonCode::CampaignStopped, message));
    }
    if item.flight.over(now) || facts.campaign.flight.over(now) {
        ended.push(reason(ReasonCode::FlightEnded, "the flight is over"));
    }
    if !ended.is_empty() {
        return decided(LineItemStatus::Ended, ended);
    }
    let mut complete = Vec::new();
    let DeliveredFacts {
        quantity, served, ..
    } = facts.delivered;
    if let Some(goal) = item.limits.goal.filter(|goal| quantity >= *goal) {
        let message = format!("{quantity} of {goal} are delivered");
        complete.push(reason(ReasonCode::GoalReached, message));
    }
    if let Some(cap) = item.limits.lifetime_cap.filter(|cap| served >= *cap) {
        let message = format!("{served} of {cap} {} are served", item.currency);
        complete.push(reason(ReasonCode::LifetimeCapReached, message));
    }
    if complete.is_empty() {
        None
    } else {
        decided(LineItemStatus::Completed, complete)
    }
}

/// Something above it or ahead of it is missing.
fn pending(facts: &StatusFacts<'_>, now: Timestamp) -> Decided {
    let mut missing = Vec::new();
    if facts.campaign.state != CampaignState::Approved {
        let message = format!("the campaign is {}", facts.campaign.state);
        missing.push(reason(ReasonCode::CampaignNotApproved, message));
    }
    match facts.advertiser.state {
        AdvertiserState::Active => {}
        AdvertiserState::PendingBilling => missing.push(reason(
            ReasonCode::AdvertiserPendingBilling,
            "Billing has not opened the advertiser's account yet",
        )),
        AdvertiserState::Suspended => missing.push(reason(
            ReasonCode::AdvertiserSuspended,
            "the advertiser is suspended",
        )),
        AdvertiserState::Archived => missing.push(reason(
            ReasonCode::AdvertiserArchived,
            "the advertiser is archived",
        )),
    }
    if facts.line_item.terms_version == 0 {
        missing.push(reason(ReasonCode::TermsMissing, "no terms are published"));
    }
    let starts = facts
        .line_item
        .flight
        .starts_at
        .max(facts.campaign.flight.starts_at);
    if now < starts {
        let message = format!("the flight starts at {starts}");
        missing.push(reason(ReasonCode::FlightNotStarted, message));
    }
    if missing.is_empty() {
        None
    } else {
        decided(LineItemStatus::Pending, missing)
    }
}

/// It has had its share of today.
fn today(facts: &StatusFacts<'_>, _: Timestamp) -> Decided {
    let served = facts.delivered.served_today;
    let cap = facts.line_item.limits.daily_cap?;
    if served < cap {
        return None;
    }
    let message = format!(
        "{served} of {cap} {} are served today",
        facts.line_item.currency
    );
    decided(
        LineItemStatus::Limited,
        vec![reason(ReasonCode::DailyCapReached, message)],
    )
}

/// Whether there is money to serve on.
fn money(facts: &StatusFacts<'_>, now: Timestamp) -> Decided {
    if facts.line_item.kind == LineItemKind::House {
        return None;
    }
    match may_serve(facts.account) {
        Ok(()) => {}
        Err(stop @ ServingStop::Unknown) => {
            let unknown = reason(ReasonCode::AccountUnknown, stop.to_string());
            return decided(LineItemStatus::Pending, vec![unknown]);
        }
        Err(stop @ (ServingStop::NotOpen | ServingStop::Blocked)) => {
            let blocked = reason(ReasonCode::AccountBlocked, stop.to_string());
            return decided(LineItemStatus::AccountHold, vec![blocked]);
        }
    }
    let account = account_reasons(facts.account);
    let on_lease = facts.lease.is_some_and(|lease| {
        lease.left.is_positive() && lease.serve_until.is_some_and(|until| now < until)
    });
    if on_lease {
        serving(facts.lease, account)
    } else {
        dry(facts.lease, account, now)
    }
}

/// There is a lease; what makes it the last, or less than it could be.
fn serving(lease: Option<&LeaseFacts>, account: Vec<Reason>) -> Decided {
    let mut limits = lease.map(lease_reasons).unwrap_or_default();
    limits.extend(account);
    if limits.is_empty() {
        None
    } else {
        decided(LineItemStatus::Limited, limits)
    }
}

/// There is no lease; why not.
fn dry(lease: Option<&LeaseFacts>, account: Vec<Reason>, now: Timestamp) -> Decided {
    let held = account
        .iter()
        .any(|reason| reason.code != ReasonCode::StandingStale);
    let mut reasons = lease.map(lease_reasons).unwrap_or_default();
    let refused = !reasons.is_empty();
    reasons.extend(account);
    // What was asked for and not given weighs more than a standing that lets what runs go on.
    if refused {
        return decided(LineItemStatus::NoBudget, reasons);
    }
    if held {
        return decided(LineItemStatus::AccountHold, reasons);
    }
    let (status, why) = match lease.and_then(|lease| lease.serve_until) {
        Some(until) if until <= now => (
            LineItemStatus::NoBudget,
            reason(
                ReasonCode::LeaseExpired,
                format!("the last lease ran out at {until}"),
            ),
        ),
        Some(_) => (
            LineItemStatus::NoBudget,
            reason(
                ReasonCode::LeaseUsedUp,
                "the lease is used up and the next one has not come",
            ),
        ),
        None => (
            LineItemStatus::Ready,
            reason(
                ReasonCode::LeasePending,
                "the first lease is being asked for",
            ),
        ),
    };
    reasons.insert(0, why);
    decided(status, reasons)
}

fn lease_reasons(lease: &LeaseFacts) -> Vec<Reason> {
    let refused = lease.refusal.as_ref().map(|refusal| {
        let message = format!("Billing refused money: {}", refusal.message);
        reason(ReasonCode::FundsExhausted, message)
    });
    let unreachable = lease.unreachable_since.map(|since| {
        let message = format!("Billing has not answered since {since}");
        reason(ReasonCode::BillingUnreachable, message)
    });
    refused.into_iter().chain(unreachable).collect()
}

fn account_reasons(account: Option<&AccountFacts>) -> Vec<Reason> {
    let Some(facts) = account else {
        return Vec::new();
    };
    let mut reasons = Vec::new();
    match facts.account.standing {
        AccountStanding::Active => {}
        AccountStanding::OnHold => reasons.push(reason(
            ReasonCode::AccountOnHold,
            "the account is ON_HOLD: nothing new starts",
        )),
        AccountStanding::Stop => reasons.push(reason(
            ReasonCode::AccountStop,
            "the account is at STOP: nothing new starts",
        )),
        AccountStanding::Blocked => {
            reasons.push(reason(ReasonCode::AccountBlocked, "the account is BLOCKED"));
        }
    }
    if facts.age > STANDING_FRESH {
        let message = format!(
            "what is known of the account is {} s old",
            facts.age.as_secs()
        );
        reasons.push(reason(ReasonCode::StandingStale, message));
    }
    reasons
}

const fn decided(status: LineItemStatus, reasons: Vec<Reason>) -> Decided {
    Some(Computed { status, reasons })
}

fn reason(code: ReasonCode, message: impl Into<String>) -> Reason {
    Reason {
        code,
        message: message.into(),
    }
}

#[cfg(test)]
#[path = "line_item_status_tests.rs"]
mod tests;
