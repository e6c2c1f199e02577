//! Opening an account.

use super::{Account, Mode, OpsRef, Party, State};
use crate::outcome::Changed;
use crate::refusal::Refusal;
use crate::work::Work;
use cleave_kernel::{Currency, Micros};
use serde::{Deserialize, Serialize};

/// Opens the account of a party, or finds it open.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct OpenAccount {
    /// Who will own it.
    pub ops_ref: OpsRef,
    /// What people call the owner.
    pub display_name: String,
    /// Its currency for life.
    pub currency: Currency,
    /// How the owner pays. Publishers are PREPAID.
    pub mode: Mode,
    /// How far below zero the running balance may go.
    pub credit_limit: Micros,
    /// How many days after its date an invoice is due.
    pub net_days: i32,
}

impl Work {
    /// Opens an account. The same opening again answers the account as it is.
    ///
    /// # Errors
    /// When the party has an account of another currency or mode, or asks for credit that its mode does not give.
    pub fn open_account(&mut self, command: &OpenAccount) -> Result<Changed, Refusal> {
        let id = Account::id_of(command.ops_ref);
        if let Some(existing) = self.account(id) {
            return if (existing.currency, existing.mode) == (command.currency, command.mode) {
                self.as_it_is(existing.clone())
            } else {
                Err(Refusal::AccountAlreadyExists {
                    account: id,
                    currency: existing.currency,
                    mode: existing.mode,
                })
            };
        }
        let gives_credit =
            command.ops_ref.party() == Party::Advertiser && command.mode != Mode::Prepaid;
        if !command.credit_limit.is_zero() && !gives_credit {
            return Err(Refusal::CreditNotAllowed {
                account: id,
                mode: command.mode,
            });
        }
        let now = self.now();
        let account = Account {
            id,
            ops_ref: command.ops_ref,
            display_name: command.display_name.clone(),
            currency: command.currency,
            mode: command.mode,
            credit_limit: command.credit_limit,
            net_days: command.net_days,
            state: State::Open,
            standing_override: None,
            version: 1,
            revision: 0,
            created_at: now,
            updated_at: now,
            closed_at: None,
        };
        self.change(account)
    }
}
