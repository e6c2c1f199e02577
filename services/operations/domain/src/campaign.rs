//! Campaigns: DRAFT > PENDING_APPROVAL > APPROVED or DISAPPROVED > CANCELED, ARCHIVED.

use cleave_kernel::{AdvertiserId, ApprovalId, CampaignId, Currency, Micros, Timestamp, Violation};
use serde::{Deserialize, Serialize};

use crate::advertiser::set;
use crate::aggregate::{aggregate, require_parent, require_state};
use crate::named::named;
use crate::{Advertiser, Aggregate, Approval, Refusal, Stamp, Statement};

named! {
    /// Where a campaign stands.
    pub enum CampaignState {
        /// Being written.
        Draft = "DRAFT",
        /// Waits for a decision.
        PendingApproval = "PENDING_APPROVAL",
        /// May run.
        Approved = "APPROVED",
        /// Refused; may be changed and submitted again.
        Disapproved = "DISAPPROVED",
        /// Stopped for good.
        Canceled = "CANCELED",
        /// Put away.
        Archived = "ARCHIVED",
    }
}

/// When something runs: from `starts_at` until just before `ends_at`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Flight {
    /// When it starts.
    pub starts_at: Timestamp,
    /// When it ends; never when absent.
    pub ends_at: Option<Timestamp>,
}

impl Flight {
    /// The flight, if it ends after it starts.
    ///
    /// # Errors
    /// When it does not.
    pub fn checked(self) -> Result<Self, Violation> {
        if self.ends_at.is_some_and(|end| end <= self.starts_at) {
            return Err(Violation::new(
                "end_time",
                "OUT_OF_RANGE",
                "the end lies after the start",
            ));
        }
        Ok(self)
    }

    /// Whether it has begun by `now`.
    pub fn begun(&self, now: Timestamp) -> bool {
        now >= self.starts_at
    }

    /// Whether it is over by `now`.
    pub fn over(&self, now: Timestamp) -> bool {
        self.ends_at.is_some_and(|end| now >= end)
    }
}

/// An order of an advertiser.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Campaign {
    /// Its id.
    pub id: CampaignId,
    /// Whose it is, for life.
    pub advertiser_id: AdvertiserId,
    /// What people call it.
    pub display_name: String,
    /// The advertiser's order number.
    pub po_number: Option<String>,
    /// Its name in another system.
    pub external_ref: Option<String>,
    /// The advertiser's currency.
    pub currency: Currency,
    /// Most that it may cost in all.
    pub budget: Option<Micros>,
    /// When it runs.
    pub flight: Flight,
    /// Where it stands.
    pub state: CampaignState,
    /// The request that is or was last decided on.
    pub approval_id: Option<ApprovalId>,
    /// When it was first approved.
    pub approved_at: Option<Timestamp>,
    /// Version and times.
    pub stamp: Stamp,
}

aggregate!(Campaign, CampaignId, Campaign);

/// What it takes to create a campaign.
#[derive(Debug, Clone)]
pub struct NewCampaign {
    /// Its id.
    pub id: CampaignId,
    /// Whose it is.
    pub advertiser_id: AdvertiserId,
    /// What people call it.
    pub display_name: String,
    /// The advertiser's order number.
    pub po_number: Option<String>,
    /// Its name in another system.
    pub external_ref: Option<String>,
    /// Most that it may cost in all.
    pub budget: Option<Micros>,
    /// When it runs.
    pub flight: Flight,
}

/// New values of the fields that people write; `None` leaves a field as it is.
#[derive(Debug, Clone, Default)]
pub struct CampaignChange {
    /// What people call it.
    pub display_name: Option<String>,
    /// The advertiser's order number.
    pub po_number: Option<Option<String>>,
    /// Its name in another system.
    pub external_ref: Option<Option<String>>,
    /// Most that it may cost in all.
    pub budget: Option<Option<Micros>>,
    /// When it starts.
    pub starts_at: Option<Timestamp>,
    /// When it ends.
    pub ends_at: Option<Option<Timestamp>>,
}

impl Campaign {
    /// A draft of a campaign.
    ///
    /// # Errors
    /// When the advertiser is archived.
    pub fn create(
        new: NewCampaign,
        advertiser: &Advertiser,
        now: Timestamp,
    ) -> Result<Self, Refusal> {
        advertiser.require_drafts()?;
        Ok(Self {
            id: new.id,
            advertiser_id: advertiser.id,
            display_name: new.display_name,
            po_number: new.po_number,
            external_ref: new.external_ref,
            currency: advertiser.currency,
            budget: new.budget,
            flight: new.flight,
            state: CampaignState::Draft,
            approval_id: None,
            approved_at: None,
            stamp: Stamp::first(now),
        })
    }

    /// Takes new values; `caps` is what the line items may spend in all.
    ///
    /// # Errors
    /// When the state forbids it, an approved campaign would be moved or get more money, the flight would be
    /// empty, or the caps would exceed the budget.
    pub fn change(
        &mut self,
        change: CampaignChange,
        caps: Micros,
        now: Timestamp,
    ) -> Result<(), Refusal> {
        require_state(self, self.state, &CHANGEABLE, "change")?;
        let mut next = self.clone();
        set(&mut next.display_name, change.display_name);
        set(&mut next.po_number, change.po_number);
        set(&mut next.external_ref, change.external_ref);
        set(&mut next.budget, change.budget);
        set(&mut next.flight.starts_at, change.starts_at);
        set(&mut next.flight.ends_at, change.ends_at);
        next.flight = next
            .flight
            .checked()
            .map_err(|fault| fault.under("campaign"))?;
        if self.state == CampaignState::Approved {
            self.require_approved_values(&next)?;
        }
        next.require_room(caps)?;
        next.touch(now);
        *self = next;
        Ok(())
    }

    /// Asks for approval.
    ///
    /// # Errors
    /// When it is neither a draft nor disapproved, or has no line item with terms.
    pub fn submit(
        &mut self,
        id: ApprovalId,
        has_terms: bool,
        request: Statement,
        now: Timestamp,
    ) -> Result<Approval, Refusal> {
        let from = [CampaignState::Draft, CampaignState::Disapproved];
        require_state(self, self.state, &from, "be submitted")?;
        if !has_terms {
            return Err(Refusal::CampaignIncomplete {
                campaign_id: self.id.to_string(),
            });
        }
        self.approval_id = Some(id);
        self.enter(CampaignState::PendingApproval, now);
        Ok(Approval::ask(id, self.id, request, now))
    }

    /// Grants approval.
    ///
    /// # Errors
    /// When it is not waiting for it, or the decider asked for it.
    pub fn approve(
        &mut self,
        approval: &mut Approval,
        decision: Statement,
        now: Timestamp,
    ) -> Result<(), Refusal> {
        self.require_pending("be approved")?;
        approval.approve(decision, now)?;
        self.approved_at = self.approved_at.or(Some(now));
        self.enter(CampaignState::Approved, now);
        Ok(())
    }

    /// Refuses approval.
    ///
    /// # Errors
    /// When it is not waiting for it, or the decider asked for it.
    pub fn disapprove(
        &mut self,
        approval: &mut Approval,
        decision: Statement,
        now: Timestamp,
    ) -> Result<(), Refusal> {
        self.require_pending("be disapproved")?;
        approval.reject(decision, now)?;
        self.enter(CampaignState::Disapproved, now);
        Ok(())
    }

    /// Takes the submission back.
    ///
    /// # Errors
    /// When it is not waiting for approval.
    pub fn withdraw(
        &mut self,
        approval: &mut Approval,
        decision: Statement,
        now: Timestamp,
    ) -> Result<(), Refusal> {
        self.require_pending("be withdrawn")?;
        approval.withdraw(decision, now)?;
        self.enter(CampaignState::Draft, now);
        Ok(())
    }

    /// Stops it for good.
    ///
    /// # Errors
    /// While it waits for approval, and once it is canceled or archived.
    pub fn cancel(&mut self, now: Timestamp) -> Result<(), Refusal> {
        require_state(self, self.state, &CHANGEABLE, "be canceled")?;
        self.enter(CampaignState::Canceled, now);
        Ok(())
    }

    /// Puts it away.
    ///
    /// # Errors
    /// When it may still run, waits for approval, or is put away already.
    pub fn archive(&mut self, now: Timestamp) -> Result<(), Refusal> {
        let mut from = vec![
            CampaignState::Draft,
            CampaignState::Disapproved,
            CampaignState::Canceled,
        ];
        if self.flight.over(now) {
            from.push(CampaignState::Approved);
        }
        require_state(self, self.state, &from, "be archived")?;
        self.enter(CampaignState::Archived, now);
        Ok(())
    }

    /// Whether its line items and their terms may change.
    ///
    /// # Errors
    /// When it waits for approval, or is canceled or archived.
    pub fn require_open_to_change(&self, action: &str) -> Result<(), Refusal> {
        require_parent(self, self.state, &CHANGEABLE, action)
    }

    /// Whether line items with `caps` in all fit into the budget.
    ///
    /// # Errors
    /// When they do not.
    pub fn require_room(&self, caps: Micros) -> Result<(), Refusal> {
        match self.budget {
            Some(budget) if caps > budget => Err(Refusal::BudgetExceeded {
                campaign_id: self.id.to_string(),
                budget,
                caps,
            }),
            _ => Ok(()),
        }
    }

    fn require_approved_values(&self, next: &Self) -> Result<(), Refusal> {
        if next.flight.starts_at != self.flight.starts_at {
            return Err(Refusal::field(
                "campaign.start_time",
                "IMMUTABLE",
                "the start may not change once approved",
            ));
        }
        let raised = match (self.budget, next.budget) {
            (Some(old), Some(new)) => new > old,
            (Some(_), None) => true,
            (None, _) => false,
        };
        if raised {
            return Err(Refusal::field(
                "campaign.budget_total_micros",
                "IMMUTABLE",
                "the budget may only be lowered once approved",
            ));
        }
        Ok(())
    }

    fn require_pending(&self, action: &str) -> Result<(), Refusal> {
        require_state(self, self.state, &[CampaignState::PendingApproval], action)
    }

    fn enter(&mut self, state: CampaignState, now: Timestamp) {
        self.state = state;
        self.touch(now);
    }
}

const CHANGEABLE: [CampaignState; 3] = [
    CampaignState::Draft,
    CampaignState::Approved,
    CampaignState::Disapproved,
];

#[cfg(test)]
#[path = "campaign_tests.rs"]
mod tests;
