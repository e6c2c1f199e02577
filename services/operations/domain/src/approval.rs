//! Requests for approval: PENDING > APPROVED, REJECTED or WITHDRAWN. Who asks may not decide.

use cleave_kernel::{ApprovalId, CampaignId, Timestamp};
use serde::{Deserialize, Serialize};

use crate::aggregate::{aggregate, require_state};
use crate::named::named;
use crate::{Aggregate, Refusal, Stamp};

named! {
    /// Where a request stands.
    pub enum ApprovalState {
        /// Waits for a decision.
        Pending = "PENDING",
        /// Granted.
        Approved = "APPROVED",
        /// Refused.
        Rejected = "REJECTED",
        /// Taken back.
        Withdrawn = "WITHDRAWN",
    }
}

/// Somebody and what they have to say.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Statement {
    /// Who.
    pub actor: String,
    /// What they have to say.
    pub note: Option<String>,
}

/// A request for approval of a campaign.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Approval {
    /// Its id.
    pub id: ApprovalId,
    /// Which campaign.
    pub campaign_id: CampaignId,
    /// Where it stands.
    pub state: ApprovalState,
    /// Who asked.
    pub request: Statement,
    /// Who decided, and when.
    pub decision: Option<(Statement, Timestamp)>,
    /// Version and times.
    pub stamp: Stamp,
}

aggregate!(Approval, ApprovalId, Approval);

impl Approval {
    /// A request that waits for a decision.
    pub const fn ask(
        id: ApprovalId,
        campaign_id: CampaignId,
        request: Statement,
        now: Timestamp,
    ) -> Self {
        Self {
            id,
            campaign_id,
            state: ApprovalState::Pending,
            request,
            decision: None,
            stamp: Stamp::first(now),
        }
    }

    /// Grants it.
    ///
    /// # Errors
    /// When it is decided already, or the decider asked for it.
    pub fn approve(&mut self, decision: Statement, now: Timestamp) -> Result<(), Refusal> {
        self.require_other(&decision)?;
        self.decide(ApprovalState::Approved, decision, now)
    }

    /// Refuses it.
    ///
    /// # Errors
    /// When it is decided already, or the decider asked for it.
    pub fn reject(&mut self, decision: Statement, now: Timestamp) -> Result<(), Refusal> {
        self.require_other(&decision)?;
        self.decide(ApprovalState::Rejected, decision, now)
    }

    /// Takes it back.
    ///
    /// # Errors
    /// When it is decided already.
    pub fn withdraw(&mut self, decision: Statement, now: Timestamp) -> Result<(), Refusal> {
        self.decide(ApprovalState::Withdrawn, decision, now)
    }

    fn require_other(&self, decision: &Statement) -> Result<(), Refusal> {
        // Upper and lower case name the same person in every directory that people are kept in.
        if decision.actor.to_lowercase() == self.request.actor.to_lowercase() {
            return Err(Refusal::SelfApproval {
                approval_id: self.id.to_string(),
                actor: decision.actor.clone(),
            });
        }
        Ok(())
    }

    fn decide(
        &mut self,
        state: ApprovalState,
        decision: Statement,
        now: Timestamp,
    ) -> Result<(), Refusal> {
        require_state(self, self.state, &[ApprovalState::Pending], "be decided")?;
        self.state = state;
        self.decision = Some((decision, now));
        self.touch(now);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{NOW, by};

    fn asked() -> Approval {
        Approval::ask(
            ApprovalId::generate(),
            CampaignId::generate(),
            by("Maker"),
            NOW,
        )
    }

    #[test]
    fn the_maker_is_never_the_checker() {
        let mut subject = asked();
        for refused in [
            subject.approve(by("maker"), NOW),
            subject.reject(by("MAKER"), NOW),
        ] {
            assert!(matches!(refused, Err(Refusal::SelfApproval { .. })));
        }
        subject.withdraw(by("Maker"), NOW).unwrap();
        assert_eq!(subject.state, ApprovalState::Withdrawn);
    }

    #[test]
    fn a_decision_is_made_once() {
        let mut subject = asked();
        subject.approve(by("Checker"), NOW).unwrap();
        for refused in [
            subject.approve(by("Checker"), NOW),
            subject.reject(by("Checker"), NOW),
            subject.withdraw(by("Maker"), NOW),
        ] {
            assert!(matches!(refused, Err(Refusal::State { .. })));
        }
    }
}
