//! Adjustments: corrections that a person makes to an account.

use crate::account::{Account, Party};
use crate::chart::{Code, LedgerKey};
use crate::refusal::Refusal;
use crate::transfer::{Group, Reason};
use crate::work::Work;
use cleave_kernel::{AccountId, AdjustmentId, Micros, Money, Timestamp};
use serde::{Deserialize, Serialize};

/// What kind of correction.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    /// A favour, or a make-good.
    Goodwill,
    /// A settled difference between two counts.
    Discrepancy,
    /// Invalid traffic found late.
    InvalidTraffic,
    /// A charge that will never be paid.
    BadDebt,
    /// Earnings taken back, even beyond what was earned.
    Clawback,
    /// What delivery written off would have left on an account that has closed. Posted with the write-off alone.
    WriteOff,
}

/// Which way the money goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Direction {
    /// To the account.
    Credit,
    /// From the account.
    Debit,
}

/// A correction.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Adjustment {
    /// Names it.
    pub id: AdjustmentId,
    /// The account that was corrected.
    pub account: AccountId,
    /// What kind.
    pub kind: Kind,
    /// Which way.
    pub direction: Direction,
    /// How much.
    pub amount: Money,
    /// Why.
    pub reason: String,
    /// Who decided it.
    pub actor: String,
    /// When it was posted.
    pub created_at: Timestamp,
}

/// Corrects an account.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PostAdjustment {
    /// Which account.
    pub account: AccountId,
    /// What kind.
    pub kind: Kind,
    /// Which way.
    pub direction: Direction,
    /// How much: positive.
    pub amount: Money,
    /// Why.
    pub reason: String,
    /// Who decided it.
    pub actor: String,
}

impl Kind {
    pub(crate) const fn reason(self) -> Reason {
        match self {
            Self::Goodwill => Reason::Goodwill,
            Self::Discrepancy => Reason::Discrepancy,
            Self::InvalidTraffic => Reason::InvalidTraffic,
            Self::BadDebt => Reason::BadDebt,
            Self::Clawback => Reason::Clawback,
            Self::WriteOff => Reason::WriteOff,
        }
    }

    /// What the platform books the other side to.
    const fn counterpart(self) -> Code {
        match self {
            Self::BadDebt => Code::BadDebt,
            Self::Goodwill
            | Self::Discrepancy
            | Self::InvalidTraffic
            | Self::Clawback
            | Self::WriteOff => Code::Adjustments,
        }
    }
}

impl Work {
    /// Corrects an account.
    ///
    /// # Errors
    /// When the account cannot take it, or has less than is taken.
    pub fn post_adjustment(&mut self, command: &PostAdjustment) -> Result<Adjustment, Refusal> {
        let account = self.known(command.account, &command.account)?.clone();
        account.check_open()?;
        account.check_currency(command.amount.currency)?;
        if command.kind == Kind::Clawback {
            account.check_party(Party::Publisher)?;
        }
        let adjustment = Adjustment {
            id: AdjustmentId::from_uuid(self.next_id()),
            account: account.id,
            kind: command.kind,
            direction: command.direction,
            amount: command.amount,
            reason: command.reason.clone(),
            actor: command.actor.clone(),
            created_at: self.now(),
        };
        let mut group = Group::new(adjustment.id.to_string());
        let platform = LedgerKey::platform(account.currency, command.kind.counterpart());
        let reason = command.kind.reason();
        match command.direction {
            Direction::Credit => group.single(
                platform,
                account.ledger(running(&account)),
                command.amount.micros,
                reason,
            ),
            Direction::Debit => {
                for (code, amount) in self.sources(&account, command)? {
                    group.single(account.ledger(code), platform, amount, reason);
                }
            }
        }
        self.commit(group)?;
        self.add_adjustment(adjustment.clone());
        Ok(adjustment)
    }

    /// Where a debit is taken from: from what there is, and for a clawback from what will be.
    fn sources(
        &self,
        account: &Account,
        command: &PostAdjustment,
    ) -> Result<Vec<(Code, Micros)>, Refusal> {
        let wanted = command.amount.micros;
        let available = match account.party() {
            Party::Advertiser => self.free_of(account)?,
            Party::Publisher => self.earned(account)?,
        };
        let taken = wanted.min(available.max(Micros::ZERO));
        let rest = wanted
            .checked_sub(taken)
            .map_err(|_| Refusal::AmountOverflow {
                account: account.id,
            })?;
        if rest.is_zero() {
            Ok(vec![(running(account), taken)])
        } else if command.kind == Kind::Clawback {
            Ok(vec![
                (running(account), taken),
                (Code::ClawbackReceivable, rest),
            ])
        } else {
            Err(Refusal::InsufficientFunds {
                account: account.id,
                available,
                requested: wanted,
                currency: account.currency,
            })
        }
    }

    fn earned(&self, account: &Account) -> Result<Micros, Refusal> {
        let code = Code::PublisherEstimated;
        let counters = self.book().counters(account.ledger(code));
        counters
            .balance(code.side())
            .map_err(|_| Refusal::AmountOverflow {
                account: account.id,
            })
    }
}

/// The ledger account that runs with the party's business.
pub(crate) const fn running(account: &Account) -> Code {
    match account.party() {
        Party::Advertiser => Code::AdvertiserBalance,
        Party::Publisher => Code::PublisherEstimated,
    }
}
