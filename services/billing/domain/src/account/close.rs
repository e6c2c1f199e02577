//! Closing an account for ever.

use super::State;
use crate::outcome::Changed;
use crate::refusal::Refusal;
use crate::work::Work;
use cleave_kernel::{AccountId, Micros};
use serde::{Deserialize, Serialize};

/// Closes an account.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct CloseAccount {
    /// Which account.
    pub account: AccountId,
    /// The etag it was read with.
    pub etag: String,
}

impl Work {
    /// Closes an account.
    ///
    /// # Errors
    /// When it is closed already, or anything is left in one of its ledger accounts.
    pub fn close_account(&mut self, command: &CloseAccount) -> Result<Changed, Refusal> {
        let mut account = self.editable(command.account, &command.etag)?;
        let overflow = Refusal::AmountOverflow {
            account: account.id,
        };
        let mut left = Micros::ZERO;
        let mut held = Micros::ZERO;
        for code in account.codes() {
            let counters = self.book().counters(account.ledger(*code));
            let balance = counters.balance(code.side());
            // Whatever is first found open is told; the sums of different codes would say nothing.
            if left.is_zero() {
                left = balance.map_err(|_| overflow.clone())?;
            }
            held = held.max(counters.debits_pending);
        }
        if !left.is_zero() || !held.is_zero() {
            return Err(Refusal::AccountNotEmpty {
                account: account.id,
                balance: left,
                held,
            });
        }
        let now = self.now();
        account.state = State::Closed;
        account.closed_at = Some(now);
        account.edited(now);
        self.change(account)
    }
}
