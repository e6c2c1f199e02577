//! Publishers: APPLIED > ACTIVE <> SUSPENDED > TERMINATED.

use cleave_kernel::{AccountId, Currency, PublisherId, Timestamp, Violation};
use serde::{Deserialize, Serialize};

use crate::advertiser::set;
use crate::aggregate::{aggregate, require_parent, require_state};
use crate::named::named;
use crate::{Aggregate, BillingProposal, OutboxMessage, Party, Refusal, Stamp};

/// Most addresses to write to.
pub const CONTACTS_MAX: usize = 20;

named! {
    /// Where a publisher stands.
    pub enum PublisherState {
        /// Has applied.
        Applied = "APPLIED",
        /// May serve.
        Active = "ACTIVE",
        /// Stopped by people.
        Suspended = "SUSPENDED",
        /// Put away for good.
        Terminated = "TERMINATED",
    }
}

/// How a publisher is listed as a seller: one such pair is one paid party.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Seller {
    /// The domain under which it is listed.
    pub domain: String,
    /// Its number there.
    pub id: String,
}

impl Seller {
    /// The pair, if there is one.
    ///
    /// # Errors
    /// When one half is missing.
    pub fn from_parts(
        domain: Option<String>,
        id: Option<String>,
    ) -> Result<Option<Self>, Violation> {
        match (domain, id) {
            (Some(domain), Some(id)) => Ok(Some(Self { domain, id })),
            (None, None) => Ok(None),
            (Some(_), None) => Err(Violation::required("seller_id")),
            (None, Some(_)) => Err(Violation::required("seller_domain")),
        }
    }
}

/// A party that sells inventory.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Publisher {
    /// Its id.
    pub id: PublisherId,
    /// What people call it.
    pub display_name: String,
    /// How it is listed as a seller.
    pub seller: Option<Seller>,
    /// Where to write to.
    pub contact_emails: Vec<String>,
    /// What it earns in, for life.
    pub currency: Currency,
    /// Its name in another system.
    pub external_ref: Option<String>,
    /// What Billing was asked for.
    pub billing: BillingProposal,
    /// Where it stands.
    pub state: PublisherState,
    /// Its account, once Billing has opened it.
    pub account_id: Option<AccountId>,
    /// Version and times.
    pub stamp: Stamp,
}

aggregate!(Publisher, PublisherId, Publisher);

/// What it takes to create a publisher.
#[derive(Debug, Clone)]
pub struct NewPublisher {
    /// Its id.
    pub id: PublisherId,
    /// What people call it.
    pub display_name: String,
    /// How it is listed as a seller.
    pub seller: Option<Seller>,
    /// Where to write to.
    pub contact_emails: Vec<String>,
    /// What it earns in.
    pub currency: Currency,
    /// Its name in another system.
    pub external_ref: Option<String>,
    /// What to ask Billing for.
    pub billing: BillingProposal,
}

/// New values of the fields that people write; `None` leaves a field as it is.
#[derive(Debug, Clone, Default)]
pub struct PublisherChange {
    /// What people call it.
    pub display_name: Option<String>,
    /// The domain under which it is listed.
    pub seller_domain: Option<Option<String>>,
    /// Its number there.
    pub seller_id: Option<Option<String>>,
    /// Where to write to.
    pub contact_emails: Option<Vec<String>>,
    /// Its name in another system.
    pub external_ref: Option<Option<String>>,
}

impl Publisher {
    /// A new publisher, which has applied.
    pub fn create(new: NewPublisher, now: Timestamp) -> Self {
        Self {
            id: new.id,
            display_name: new.display_name,
            seller: new.seller,
            contact_emails: new.contact_emails,
            currency: new.currency,
            external_ref: new.external_ref,
            billing: new.billing,
            state: PublisherState::Applied,
            account_id: None,
            stamp: Stamp::first(now),
        }
    }

    /// What to ask Billing for.
    pub fn open_account(&self) -> OutboxMessage {
        OutboxMessage::OpenAccount {
            party: Party::Publisher(self.id),
            display_name: self.display_name.clone(),
            currency: self.currency,
            proposal: self.billing,
        }
    }

    /// Takes new values.
    ///
    /// # Errors
    /// When it is terminated, or would be half listed as a seller.
    pub fn change(&mut self, change: PublisherChange, now: Timestamp) -> Result<(), Refusal> {
        require_state(self, self.state, &OPEN, "change")?;
        let (mut domain, mut id) = self.seller.clone().map_or((None, None), |seller| {
            (Some(seller.domain), Some(seller.id))
        });
        set(&mut domain, change.seller_domain);
        set(&mut id, change.seller_id);
        let seller = Seller::from_parts(domain, id).map_err(|fault| fault.under("publisher"))?;
        self.seller = seller;
        set(&mut self.display_name, change.display_name);
        set(&mut self.contact_emails, change.contact_emails);
        set(&mut self.external_ref, change.external_ref);
        self.touch(now);
        Ok(())
    }

    /// Notes that Billing has opened the account; whether anything changed.
    pub fn account_opened(&mut self, account: AccountId, now: Timestamp) -> bool {
        if self.account_id == Some(account) {
            return false;
        }
        self.account_id = Some(account);
        self.touch(now);
        true
    }

    /// Lets it serve.
    ///
    /// # Errors
    /// When it has not just applied, or has no account yet.
    pub fn activate(&mut self, now: Timestamp) -> Result<(), Refusal> {
        require_state(self, self.state, &[PublisherState::Applied], "be activated")?;
        if self.account_id.is_none() {
            return Err(Refusal::BillingAccountPending {
                kind: Self::KIND,
                id: self.id.to_string(),
            });
        }
        self.enter(PublisherState::Active, now);
        Ok(())
    }

    /// Stops it.
    ///
    /// # Errors
    /// When it is not active.
    pub fn suspend(&mut self, now: Timestamp) -> Result<(), Refusal> {
        require_state(self, self.state, &[PublisherState::Active], "be suspended")?;
        self.enter(PublisherState::Suspended, now);
        Ok(())
    }

    /// Lets it serve again.
    ///
    /// # Errors
    /// When it is not suspended.
    pub fn resume(&mut self, now: Timestamp) -> Result<(), Refusal> {
        require_state(self, self.state, &[PublisherState::Suspended], "resume")?;
        self.enter(PublisherState::Active, now);
        Ok(())
    }

    /// Puts it away.
    ///
    /// # Errors
    /// When it is put away already.
    pub fn terminate(&mut self, now: Timestamp) -> Result<(), Refusal> {
        require_state(self, self.state, &OPEN, "be terminated")?;
        self.enter(PublisherState::Terminated, now);
        Ok(())
    }

    /// Whether something new may be described for it.
    ///
    /// # Errors
    /// When it is terminated.
    pub fn require_open(&self) -> Result<(), Refusal> {
        require_parent(self, self.state, &OPEN, "be created")
    }

    /// Whether something of it may serve.
    ///
    /// # Errors
    /// When it is not active.
    pub fn require_active(&self) -> Result<(), Refusal> {
        require_parent(self, self.state, &[PublisherState::Active], "be approved")
    }

    fn enter(&mut self, state: PublisherState, now: Timestamp) {
        self.state = state;
        self.touch(now);
    }
}

const OPEN: [PublisherState; 3] = [
    PublisherState::Applied,
    PublisherState::Active,
    PublisherState::Suspended,
];

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{NOW, publisher};

    #[test]
    fn it_serves_only_with_an_account() {
        let mut subject = publisher();
        assert!(matches!(
            subject.activate(NOW),
            Err(Refusal::BillingAccountPending { .. })
        ));
        subject.account_opened(AccountId::generate(), NOW);
        assert_eq!(subject.state, PublisherState::Applied);
        subject.activate(NOW).unwrap();
        assert_eq!(subject.require_active(), Ok(()));
        assert!(matches!(subject.activate(NOW), Err(Refusal::State { .. })));
    }

    #[test]
    fn suspended_and_back_then_never_again() {
        let mut subject = publisher();
        subject.account_opened(AccountId::generate(), NOW);
        subject.activate(NOW).unwrap();
        subject.suspend(NOW).unwrap();
        assert!(subject.require_active().is_err());
        subject.resume(NOW).unwrap();
        subject.terminate(NOW).unwrap();
        for refused in [
            subject.suspend(NOW),
            subject.resume(NOW),
            subject.activate(NOW),
            subject.terminate(NOW),
            subject.change(PublisherChange::default(), NOW),
            subject.require_open(),
        ] {
            assert!(refused.is_err());
        }
    }

    #[test]
    fn half_a_seller_is_refused_and_leaves_the_rest() {
        let mut subject = publisher();
        let before = subject.clone();
        let half = PublisherChange {
            display_name: Some("Other".to_owned()),
            seller_id: Some(Some("7".to_owned())),
            ..PublisherChange::default()
        };
        assert!(matches!(
            subject.change(half, NOW),
            Err(Refusal::Invalid { .. })
        ));
        assert_eq!(subject, before);
    }
}
