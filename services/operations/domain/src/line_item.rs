//! Line items: what people want of them (DRAFT, ENABLED, PAUSED, REMOVED). What they do is `line_item_status`.

use cleave_kernel::{AdvertiserId, CampaignId, Currency, LineItemId, Micros, Timestamp, Violation};
use serde::{Deserialize, Serialize};

use crate::account::{AccountFacts, ActivationRefusal, may_activate};
use crate::advertiser::set;
use crate::aggregate::{aggregate, require_state};
use crate::named::named;
use crate::{Advertiser, Aggregate, Campaign, Flight, Refusal, Stamp};

/// Priorities run from 1, the first, to this.
pub const PRIORITY_MAX: i16 = 16;
/// The priority of what names none.
pub const PRIORITY_USUAL: i16 = 8;

named! {
    /// What people want of a line item.
    pub enum LineItemState {
        /// Being written.
        Draft = "DRAFT",
        /// Wanted to run.
        Enabled = "ENABLED",
        /// Stopped by people.
        Paused = "PAUSED",
        /// Taken out for good.
        Removed = "REMOVED",
    }
}

named! {
    /// What kind of commitment a line item is.
    pub enum LineItemKind {
        /// Sold with a goal.
        Guaranteed = "GUARANTEED",
        /// Serves where it competes best.
        Network = "NETWORK",
        /// The network's own, free of charge.
        House = "HOUSE",
    }
}

named! {
    /// How delivery is spread over a flight.
    pub enum Pacing {
        /// Evenly.
        Even = "EVEN",
        /// Somewhat ahead of even.
        Frontloaded = "FRONTLOADED",
        /// As fast as can be.
        Asap = "ASAP",
    }
}

/// What bounds the delivery of a line item.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Limits {
    /// Billable quantity after which it is complete.
    pub goal: Option<i64>,
    /// Most that it may serve in a day.
    pub daily_cap: Option<Micros>,
    /// Most that it may serve in all.
    pub lifetime_cap: Option<Micros>,
}

impl Limits {
    /// The limits, if each lies above zero.
    ///
    /// # Errors
    /// When one does not.
    pub fn checked(self) -> Result<Self, Violation> {
        let limits = [
            ("goal_count", self.goal),
            ("daily_cap_micros", self.daily_cap.map(Micros::get)),
            ("lifetime_cap_micros", self.lifetime_cap.map(Micros::get)),
        ];
        for (field, limit) in limits {
            if limit.is_some_and(|limit| limit <= 0) {
                return Err(Violation::new(
                    field,
                    "NOT_POSITIVE",
                    "a limit lies above zero; leave it out when there is none",
                ));
            }
        }
        Ok(self)
    }
}

/// A part of a campaign with a flight, goals and terms of its own.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LineItem {
    /// Its id.
    pub id: LineItemId,
    /// Whose part it is, for life.
    pub campaign_id: CampaignId,
    /// The campaign's advertiser.
    pub advertiser_id: AdvertiserId,
    /// What people call it.
    pub display_name: String,
    /// Its name in another system.
    pub external_ref: Option<String>,
    /// What kind of commitment it is.
    pub kind: LineItemKind,
    /// Order among competitors.
    pub priority: i16,
    /// The campaign's currency.
    pub currency: Currency,
    /// When it runs, within its campaign's flight.
    pub flight: Flight,
    /// What bounds it.
    pub limits: Limits,
    /// How it is spread.
    pub pacing: Pacing,
    /// What people want of it.
    pub state: LineItemState,
    /// The newest version of its terms, 0 while there is none.
    pub terms_version: i64,
    /// Version and times.
    pub stamp: Stamp,
}

aggregate!(LineItem, LineItemId, LineItem);

/// What it takes to create a line item.
#[derive(Debug, Clone)]
pub struct NewLineItem {
    /// Its id.
    pub id: LineItemId,
    /// Whose part it is.
    pub campaign_id: CampaignId,
    /// What people call it.
    pub display_name: String,
    /// Its name in another system.
    pub external_ref: Option<String>,
    /// What kind of commitment it is.
    pub kind: LineItemKind,
    /// Order among competitors.
    pub priority: i16,
    /// When it runs.
    pub flight: Flight,
    /// What bounds it.
    pub limits: Limits,
    /// How it is spread.
    pub pacing: Pacing,
}

/// New values of the fields that people write; `None` leaves a field as it is.
#[derive(Debug, Clone, Default)]
pub struct LineItemChange {
    /// What people call it.
    pub display_name: Option<String>,
    /// Its name in another system.
    pub external_ref: Option<Option<String>>,
    /// Order among competitors.
    pub priority: Option<i16>,
    /// When it starts.
    pub starts_at: Option<Timestamp>,
    /// When it ends.
    pub ends_at: Option<Option<Timestamp>>,
    /// Billable quantity after which it is complete.
    pub goal: Option<Option<i64>>,
    /// Most that it may serve in a day.
    pub daily_cap: Option<Option<Micros>>,
    /// Most that it may serve in all.
    pub lifetime_cap: Option<Option<Micros>>,
    /// How it is spread.
    pub pacing: Option<Pacing>,
}

impl LineItem {
    /// A draft of a line item; `caps` is what the campaign's other line items may spend in all.
    ///
    /// # Errors
    /// When the campaign takes no changes, or flight or cap do not fit into it.
    pub fn create(
        new: NewLineItem,
        campaign: &Campaign,
        caps: Micros,
        now: Timestamp,
    ) -> Result<Self, Refusal> {
        campaign.require_open_to_change("be created")?;
        let item = Self {
            id: new.id,
            campaign_id: campaign.id,
            advertiser_id: campaign.advertiser_id,
            display_name: new.display_name,
            external_ref: new.external_ref,
            kind: new.kind,
            priority: new.priority,
            currency: campaign.currency,
            flight: new.flight,
            limits: new.limits,
            pacing: new.pacing,
            state: LineItemState::Draft,
            terms_version: 0,
            stamp: Stamp::first(now),
        };
        item.require_fit(campaign, caps)?;
        Ok(item)
    }

    /// Takes new values; `caps` is what the campaign's other line items may spend in all.
    ///
    /// # Errors
    /// When it is removed, the campaign takes no changes, or flight or cap would not fit into it.
    pub fn change(
        &mut self,
        change: LineItemChange,
        campaign: &Campaign,
        caps: Micros,
        now: Timestamp,
    ) -> Result<(), Refusal> {
        require_state(self, self.state, &OPEN, "change")?;
        campaign.require_open_to_change("change")?;
        let mut next = self.clone();
        set(&mut next.display_name, change.display_name);
        set(&mut next.external_ref, change.external_ref);
        set(&mut next.priority, change.priority);
        set(&mut next.flight.starts_at, change.starts_at);
        set(&mut next.flight.ends_at, change.ends_at);
        set(&mut next.limits.goal, change.goal);
        set(&mut next.limits.daily_cap, change.daily_cap);
        set(&mut next.limits.lifetime_cap, change.lifetime_cap);
        set(&mut next.pacing, change.pacing);
        let in_request = |fault: Violation| fault.under("line_item");
        next.flight = next.flight.checked().map_err(in_request)?;
        next.limits = next.limits.checked().map_err(in_request)?;
        next.require_fit(campaign, caps)?;
        next.touch(now);
        *self = next;
        Ok(())
    }

    /// Asks for it to run.
    ///
    /// # Errors
    /// When it is not a draft or paused, has no terms, or its advertiser or account forbid it.
    pub fn enable(
        &mut self,
        advertiser: &Advertiser,
        account: Option<&AccountFacts>,
        now: Timestamp,
    ) -> Result<(), Refusal> {
        let from = [LineItemState::Draft, LineItemState::Paused];
        require_state(self, self.state, &from, "be enabled")?;
        if self.terms_version == 0 {
            return Err(Refusal::TermsMissing {
                line_item_id: self.id.to_string(),
            });
        }
        advertiser.require_active()?;
        if self.kind != LineItemKind::House {
            require_standing(advertiser, account)?;
        }
        self.enter(LineItemState::Enabled, now);
        Ok(())
    }

    /// Stops it.
    ///
    /// # Errors
    /// When it is not enabled.
    pub fn pause(&mut self, now: Timestamp) -> Result<(), Refusal> {
        require_state(self, self.state, &[LineItemState::Enabled], "be paused")?;
        self.enter(LineItemState::Paused, now);
        Ok(())
    }

    /// Takes it out for good.
    ///
    /// # Errors
    /// When it is removed already.
    pub fn remove(&mut self, now: Timestamp) -> Result<(), Refusal> {
        require_state(self, self.state, &OPEN, "be removed")?;
        self.enter(LineItemState::Removed, now);
        Ok(())
    }

    /// Notes that `version` of its terms was published.
    pub fn terms_published(&mut self, version: i64, now: Timestamp) {
        self.terms_version = version;
        self.touch(now);
    }

    /// Whether it may still change.
    ///
    /// # Errors
    /// When it is removed.
    pub fn require_open(&self, action: &str) -> Result<(), Refusal> {
        require_state(self, self.state, &OPEN, action)
    }

    fn require_fit(&self, campaign: &Campaign, caps: Micros) -> Result<(), Refusal> {
        let starts = self.flight.starts_at;
        if starts < campaign.flight.starts_at || campaign.flight.over(starts) {
            return Err(Refusal::field(
                "line_item.start_time",
                "OUT_OF_RANGE",
                "the flight starts within the campaign's",
            ));
        }
        if let (Some(end), Some(last)) = (self.flight.ends_at, campaign.flight.ends_at)
            && end > last
        {
            return Err(Refusal::field(
                "line_item.end_time",
                "OUT_OF_RANGE",
                "the flight ends within the campaign's",
            ));
        }
        let own = self.limits.lifetime_cap.unwrap_or_default();
        let all = caps.checked_add(own).unwrap_or(Micros::MAX);
        campaign.require_room(all)
    }

    fn enter(&mut self, state: LineItemState, now: Timestamp) {
        self.state = state;
        self.touch(now);
    }
}

/// Whether something of `advertiser` may be activated on what is known of its `account`.
fn require_standing(
    advertiser: &Advertiser,
    account: Option<&AccountFacts>,
) -> Result<(), Refusal> {
    let advertiser_id = advertiser.id.to_string();
    let standing = |standing: String| Refusal::AccountStanding {
        advertiser_id: advertiser_id.clone(),
        standing,
    };
    may_activate(account).map_err(|refused| match refused {
        ActivationRefusal::Unknown => Refusal::BillingAccountPending {
            kind: Advertiser::KIND,
            id: advertiser_id.clone(),
        },
        ActivationRefusal::NotOpen => standing("NOT_OPEN".to_owned()),
        ActivationRefusal::Standing(found) => standing(found.to_string()),
        ActivationRefusal::Stale(age) => Refusal::StandingStale {
            advertiser_id: advertiser_id.clone(),
            age_seconds: age.as_secs(),
        },
    })
}

const OPEN: [LineItemState; 3] = [
    LineItemState::Draft,
    LineItemState::Enabled,
    LineItemState::Paused,
];

#[cfg(test)]
#[path = "line_item_tests.rs"]
mod tests;
