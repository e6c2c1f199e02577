//! Credit terms: how far an account may go below zero, and when its invoices are due.

use super::{Account, Mode, Party};
use crate::outcome::Changed;
use crate::refusal::Refusal;
use crate::work::Work;
use cleave_kernel::{AccountId, Micros};
use serde::{Deserialize, Serialize};

/// Sets the credit terms of an account.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct UpdateCreditTerms {
    /// Which account.
    pub account: AccountId,
    /// The etag it was read with.
    pub etag: String,
    /// The new limit, if it changes.
    pub credit_limit: Option<Micros>,
    /// The new payment term, if it changes.
    pub net_days: Option<i32>,
}

impl Work {
    /// Sets credit terms.
    ///
    /// # Errors
    /// When the mode gives no credit, or the limit would lie below the credit already used and held.
    pub fn update_credit_terms(&mut self, command: &UpdateCreditTerms) -> Result<Changed, Refusal> {
        let account = self.editable(command.account, &command.etag)?;
        let limit = command.credit_limit.unwrap_or(account.credit_limit);
        let net_days = command.net_days.unwrap_or(account.net_days);
        account.check_party(Party::Advertiser)?;
        if account.mode == Mode::Prepaid && (!limit.is_zero() || net_days != 0) {
            return Err(Refusal::CreditNotAllowed {
                account: account.id,
                mode: account.mode,
            });
        }
        let used = self.credit_used(&account)?;
        if limit < used {
            return Err(Refusal::CreditLimitBelowUse {
                account: account.id,
                used,
                credit_limit: limit,
            });
        }
        let mut changed = account;
        changed.credit_limit = limit;
        changed.net_days = net_days;
        changed.edited(self.now());
        self.change(changed)
    }

    /// The lowest limit with which the account would not be below zero.
    fn credit_used(&self, account: &Account) -> Result<Micros, Refusal> {
        let without_credit = Account {
            credit_limit: Micros::ZERO,
            ..account.clone()
        };
        let free = self.free_of(&without_credit)?;
        Ok(free.checked_neg().unwrap_or(Micros::MAX).max(Micros::ZERO))
    }
}
