//! Closing an account for ever.

use super::State;
use crate::outcome::Changed;
use crate::refusal::Refusal;
use crate::work::Work;
use cleave_kernel::{AccountId, Micros, Timestamp};
use serde::{Deserialize, Serialize};

/// Closes an account.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct CloseAccount {
    /// Which account.
    pub account: AccountId,
    /// The etag it was read with.
    pub etag: String,
}

/// What of an account's delivery is not final.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct OpenDelivery {
    /// When the corrections of its last month of delivery are over.
    pub until: Timestamp,
    /// How many of its rows are parked.
    pub parked: i64,
}

impl Work {
    /// Closes an account.
    ///
    /// # Errors
    /// When it is closed already, or anything is left in one of its ledger accounts, or its delivery may still change:
    /// a correction that comes after the closing can no longer reach those whom it concerns.
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
        if let Some(open) = self.open_delivery(account.id)
            && (now < open.until || open.parked > 0)
        {
            return Err(Refusal::DeliveryOpen {
                account: account.id,
                until: open.until,
                parked: open.parked,
            });
        }
        account.state = State::Closed;
        account.closed_at = Some(now);
        account.edited(now);
        self.change(account)
    }
}
