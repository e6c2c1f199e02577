//! What an account may do now: computed from its money, unless a person said otherwise for a while.

use crate::account::{Account, Party, State};
use crate::book::Counters;
use crate::chart::Code;
use crate::outcome::Changed;
use crate::refusal::Refusal;
use crate::work::Work;
use cleave_kernel::{AccountId, Micros, Timestamp};
use serde::{Deserialize, Serialize};

/// What an account may do.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Standing {
    /// Everything is allowed.
    Active,
    /// Drafts are allowed, nothing new is activated, what runs goes on.
    OnHold,
    /// Nothing new is drafted or activated, what runs goes on.
    Stop,
    /// Everything stops.
    Blocked,
}

/// Why an account stands as it does.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum StandingReason {
    /// A person set it.
    Override,
    /// Balance and credit are used up.
    NoFunds,
    /// Delivery was served that nothing covers.
    UnfundedDelivery,
    /// The account is not open.
    NotOpen,
}

/// A standing that a person set.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct StandingOverride {
    /// The standing that counts meanwhile.
    pub standing: Standing,
    /// Why.
    pub reason: String,
    /// Who set it.
    pub actor: String,
    /// When it ends by itself.
    pub ends_at: Timestamp,
    /// When it was set.
    pub created_at: Timestamp,
}

/// What an account has and may do at one moment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Position {
    /// The posted balance: the running one of an advertiser, the earned one of a publisher.
    pub balance: Micros,
    /// What live reservations hold.
    pub held: Micros,
    /// What was invoiced and is not paid.
    pub receivable: Micros,
    /// Delivery that nothing covers yet.
    pub unfunded: Micros,
}

impl Position {
    /// What `account` has by the `counters` of its ledger accounts.
    ///
    /// # Errors
    /// When a sum leaves 64 bits.
    pub fn of(account: &Account, counters: impl Fn(Code) -> Counters) -> Result<Self, Refusal> {
        let overflow = |_| Refusal::AmountOverflow {
            account: account.id,
        };
        let balance = |code: Code| counters(code).balance(code.side()).map_err(overflow);
        match account.party() {
            Party::Advertiser => Ok(Self {
                balance: balance(Code::AdvertiserBalance)?,
                held: counters(Code::AdvertiserBalance).debits_pending,
                receivable: balance(Code::AdvertiserReceivable)?,
                unfunded: balance(Code::DeliveryUnfunded)?,
            }),
            Party::Publisher => {
                let earned = [
                    balance(Code::PublisherEstimated)?,
                    balance(Code::PublisherFinal)?,
                ];
                Ok(Self {
                    balance: Micros::checked_sum(earned).map_err(overflow)?,
                    held: Micros::ZERO,
                    receivable: balance(Code::ClawbackReceivable)?,
                    unfunded: Micros::ZERO,
                })
            }
        }
    }

    /// What may still be spent: balance - held + limit - receivable. Beyond 64 bits it stays at their edge, which no amount exceeds.
    pub fn free(&self, account: &Account) -> Micros {
        let sum = [self.balance, account.credit_limit]
            .map(|amount| i128::from(amount.get()))
            .iter()
            .sum::<i128>()
            - i128::from(self.held.get())
            - i128::from(self.receivable.get());
        let edge = if sum.is_negative() {
            i64::MIN
        } else {
            i64::MAX
        };
        Micros::new(i64::try_from(sum).unwrap_or(edge))
    }

    /// The standing of `account` at `now`, and why.
    pub fn standing(&self, account: &Account, now: Timestamp) -> (Standing, Vec<StandingReason>) {
        if account.state != State::Open {
            return (Standing::Blocked, vec![StandingReason::NotOpen]);
        }
        if let Some(set) = account
            .standing_override
            .as_ref()
            .filter(|o| now < o.ends_at)
        {
            return (set.standing, vec![StandingReason::Override]);
        }
        if account.party() == Party::Publisher {
            return (Standing::Active, Vec::new());
        }
        let mut reasons = Vec::new();
        let without_holds = Self {
            held: Micros::ZERO,
            ..self.clone()
        };
        // Money that is held is not gone: what runs on it is no reason to hold the account.
        if !without_holds.free(account).is_positive() {
            reasons.push(StandingReason::NoFunds);
        }
        if self.unfunded.is_positive() {
            reasons.push(StandingReason::UnfundedDelivery);
            return (Standing::Stop, reasons);
        }
        if reasons.is_empty() {
            (Standing::Active, reasons)
        } else {
            (Standing::OnHold, reasons)
        }
    }
}

/// Sets the standing by hand.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct OverrideStanding {
    /// Which account.
    pub account: AccountId,
    /// The etag it was read with.
    pub etag: String,
    /// The standing to count.
    pub standing: Standing,
    /// Why.
    pub reason: String,
    /// Who set it.
    pub actor: String,
    /// When it ends by itself.
    pub ends_at: Timestamp,
}

/// Ends an override before its time.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ClearStandingOverride {
    /// Which account.
    pub account: AccountId,
    /// The etag it was read with.
    pub etag: String,
}

impl Work {
    /// Sets the standing by hand, in place of any override before.
    ///
    /// # Errors
    /// When it would be over already, or the account is not open, or has changed since it was read.
    pub fn override_standing(&mut self, command: &OverrideStanding) -> Result<Changed, Refusal> {
        let now = self.now();
        if command.ends_at <= now {
            return Err(Refusal::EndInThePast {
                account: command.account,
            });
        }
        let mut account = self.editable(command.account, &command.etag)?;
        account.standing_override = Some(StandingOverride {
            standing: command.standing,
            reason: command.reason.clone(),
            actor: command.actor.clone(),
            ends_at: command.ends_at,
            created_at: now,
        });
        account.edited(now);
        self.change(account)
    }

    /// Ends an override.
    ///
    /// # Errors
    /// When none is in force.
    pub fn clear_standing_override(
        &mut self,
        command: &ClearStandingOverride,
    ) -> Result<Changed, Refusal> {
        let mut account = self.editable(command.account, &command.etag)?;
        if account.standing_override.take().is_none() {
            return Err(Refusal::StandingNotOverridden {
                account: account.id,
            });
        }
        account.edited(self.now());
        self.change(account)
    }

    /// Takes away the overrides of `accounts` whose time has passed, so that those who follow the accounts hear of it.
    pub fn expire_overrides(&mut self, accounts: &[AccountId]) -> u64 {
        let mut expired = 0;
        for id in accounts {
            let Some(account) = self.account(*id) else {
                continue;
            };
            let over = account
                .standing_override
                .as_ref()
                .is_some_and(|set| set.ends_at <= self.now());
            if over {
                let mut account = account.clone();
                account.standing_override = None;
                account.edited(self.now());
                self.put_account(account);
                expired += 1;
            }
        }
        expired
    }

    /// An account with what it may do now.
    pub(crate) fn as_it_is(&self, account: Account) -> Result<Changed, Refusal> {
        let (standing, _) = self.position(&account)?.standing(&account, self.now());
        Ok(Changed { account, standing })
    }

    /// Puts a changed account in place, and answers it with what it may do now.
    pub(crate) fn change(&mut self, account: Account) -> Result<Changed, Refusal> {
        let mut changed = self.as_it_is(account)?;
        changed.account = self.put_account(changed.account).clone();
        Ok(changed)
    }

    /// What an account has now.
    ///
    /// # Errors
    /// When a sum leaves 64 bits.
    pub fn position(&self, account: &Account) -> Result<Position, Refusal> {
        Position::of(account, |code| self.book().counters(account.ledger(code)))
    }
}
