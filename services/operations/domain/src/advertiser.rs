//! Advertisers: PENDING_BILLING > ACTIVE <> SUSPENDED > ARCHIVED.

use cleave_kernel::{AccountId, AdvertiserId, Currency, Timestamp};
use serde::{Deserialize, Serialize};

use crate::aggregate::{aggregate, require_state};
use crate::named::{Named, named};
use crate::{Aggregate, BillingProposal, OutboxMessage, Party, Refusal, Stamp};

named! {
    /// Where an advertiser stands.
    pub enum AdvertiserState {
        /// Waits for Billing to open its account.
        PendingBilling = "PENDING_BILLING",
        /// May run campaigns.
        Active = "ACTIVE",
        /// Stopped by people.
        Suspended = "SUSPENDED",
        /// Put away for good.
        Archived = "ARCHIVED",
    }
}

/// A party that buys delivery.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Advertiser {
    /// Its id.
    pub id: AdvertiserId,
    /// What people call it.
    pub display_name: String,
    /// Domain of what it advertises.
    pub domain: Option<String>,
    /// What it sells.
    pub category: Option<String>,
    /// IANA time zone of its days.
    pub time_zone: String,
    /// What it is charged in, for life.
    pub currency: Currency,
    /// Its name in another system.
    pub external_ref: Option<String>,
    /// What Billing was asked for.
    pub billing: BillingProposal,
    /// Where it stands.
    pub state: AdvertiserState,
    /// Its account, once Billing has opened it.
    pub account_id: Option<AccountId>,
    /// Version and times.
    pub stamp: Stamp,
}

aggregate!(Advertiser, AdvertiserId, Advertiser);

/// What it takes to create an advertiser.
#[derive(Debug, Clone)]
pub struct NewAdvertiser {
    /// Its id.
    pub id: AdvertiserId,
    /// What people call it.
    pub display_name: String,
    /// Domain of what it advertises.
    pub domain: Option<String>,
    /// What it sells.
    pub category: Option<String>,
    /// IANA time zone of its days.
    pub time_zone: String,
    /// What it is charged in.
    pub currency: Currency,
    /// Its name in another system.
    pub external_ref: Option<String>,
    /// What to ask Billing for.
    pub billing: BillingProposal,
}

/// New values of the fields that people write; `None` leaves a field as it is.
#[derive(Debug, Clone, Default)]
pub struct AdvertiserChange {
    /// What people call it.
    pub display_name: Option<String>,
    /// Domain of what it advertises.
    pub domain: Option<Option<String>>,
    /// What it sells.
    pub category: Option<Option<String>>,
    /// IANA time zone of its days.
    pub time_zone: Option<String>,
    /// Its name in another system.
    pub external_ref: Option<Option<String>>,
}

impl Advertiser {
    /// A new advertiser, which waits for its account.
    pub fn create(new: NewAdvertiser, now: Timestamp) -> Self {
        Self {
            id: new.id,
            display_name: new.display_name,
            domain: new.domain,
            category: new.category,
            time_zone: new.time_zone,
            currency: new.currency,
            external_ref: new.external_ref,
            billing: new.billing,
            state: AdvertiserState::PendingBilling,
            account_id: None,
            stamp: Stamp::first(now),
        }
    }

    /// What to ask Billing for.
    pub fn open_account(&self) -> OutboxMessage {
        OutboxMessage::OpenAccount {
            party: Party::Advertiser(self.id),
            display_name: self.display_name.clone(),
            currency: self.currency,
            proposal: self.billing,
        }
    }

    /// Takes new values.
    ///
    /// # Errors
    /// When it is archived.
    pub fn change(&mut self, change: AdvertiserChange, now: Timestamp) -> Result<(), Refusal> {
        self.require_not_archived("change")?;
        set(&mut self.display_name, change.display_name);
        set(&mut self.domain, change.domain);
        set(&mut self.category, change.category);
        set(&mut self.time_zone, change.time_zone);
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
        if self.state == AdvertiserState::PendingBilling {
            self.state = AdvertiserState::Active;
        }
        self.touch(now);
        true
    }

    /// Stops everything of it.
    ///
    /// # Errors
    /// When it is not active.
    pub fn suspend(&mut self, now: Timestamp) -> Result<(), Refusal> {
        self.step(
            &[AdvertiserState::Active],
            AdvertiserState::Suspended,
            "be suspended",
            now,
        )
    }

    /// Lets it run again.
    ///
    /// # Errors
    /// When it is not suspended.
    pub fn resume(&mut self, now: Timestamp) -> Result<(), Refusal> {
        self.step(
            &[AdvertiserState::Suspended],
            AdvertiserState::Active,
            "resume",
            now,
        )
    }

    /// Puts it away.
    ///
    /// # Errors
    /// When it is put away already.
    pub fn archive(&mut self, now: Timestamp) -> Result<(), Refusal> {
        self.require_not_archived("be archived")?;
        self.state = AdvertiserState::Archived;
        self.touch(now);
        Ok(())
    }

    /// Whether something new may be drafted for it.
    ///
    /// # Errors
    /// When it is archived.
    pub fn require_drafts(&self) -> Result<(), Refusal> {
        let open = [
            AdvertiserState::PendingBilling,
            AdvertiserState::Active,
            AdvertiserState::Suspended,
        ];
        crate::aggregate::require_parent(self, self.state, &open, "be drafted")
    }

    /// Whether something of it may be activated.
    ///
    /// # Errors
    /// When Billing has not opened its account, or it is not active.
    pub fn require_active(&self) -> Result<(), Refusal> {
        if self.state == AdvertiserState::PendingBilling {
            return Err(Refusal::BillingAccountPending {
                kind: Self::KIND,
                id: self.id.to_string(),
            });
        }
        crate::aggregate::require_parent(
            self,
            self.state,
            &[AdvertiserState::Active],
            "be activated",
        )
    }

    fn require_not_archived(&self, action: &str) -> Result<(), Refusal> {
        let live: Vec<_> = AdvertiserState::ALL
            .iter()
            .copied()
            .filter(|state| *state != AdvertiserState::Archived)
            .collect();
        require_state(self, self.state, &live, action)
    }

    fn step(
        &mut self,
        from: &[AdvertiserState],
        to: AdvertiserState,
        action: &str,
        now: Timestamp,
    ) -> Result<(), Refusal> {
        require_state(self, self.state, from, action)?;
        self.state = to;
        self.touch(now);
        Ok(())
    }
}

/// Takes a new value if there is one.
pub(crate) fn set<T>(field: &mut T, value: Option<T>) {
    if let Some(value) = value {
        *field = value;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{NOW, advertiser};
    use AdvertiserState::{Active, Archived, PendingBilling, Suspended};

    #[test]
    fn each_verb_leads_where_its_table_says() {
        type Verb = fn(&mut Advertiser, Timestamp) -> Result<(), Refusal>;
        let verbs: [(Verb, &[(AdvertiserState, AdvertiserState)]); 3] = [
            (Advertiser::suspend, &[(Active, Suspended)]),
            (Advertiser::resume, &[(Suspended, Active)]),
            (
                Advertiser::archive,
                &[
                    (PendingBilling, Archived),
                    (Active, Archived),
                    (Suspended, Archived),
                ],
            ),
        ];
        for (verb, moves) in verbs {
            for from in AdvertiserState::ALL {
                let mut subject = advertiser();
                subject.state = *from;
                let before = subject.clone();
                let wanted = moves.iter().find(|(start, _)| start == from);
                match (verb(&mut subject, NOW), wanted) {
                    (Ok(()), Some((_, to))) => {
                        assert_eq!((subject.state, subject.stamp.version), (*to, 2));
                    }
                    (Err(Refusal::State { .. }), None) => assert_eq!(subject, before),
                    (outcome, _) => panic!("{from}: {outcome:?}"),
                }
            }
        }
    }

    #[test]
    fn an_opened_account_activates_once() {
        let account = AccountId::generate();
        let mut subject = advertiser();
        assert!(matches!(
            subject.require_active(),
            Err(Refusal::BillingAccountPending { .. })
        ));
        assert!(subject.account_opened(account, NOW));
        assert!(!subject.account_opened(account, NOW));
        assert_eq!((subject.state, subject.stamp.version), (Active, 2));
        assert_eq!(subject.require_active(), Ok(()));
    }

    #[test]
    fn an_account_that_opens_late_wakes_nothing_that_was_put_away() {
        let mut subject = advertiser();
        subject.archive(NOW).unwrap();
        subject.account_opened(AccountId::generate(), NOW);
        assert_eq!(subject.state, Archived);
    }
}
