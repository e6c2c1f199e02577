//! Payments: money that came in from an advertiser.

use crate::account::Party;
use crate::chart::{Code, LedgerKey};
use crate::refusal::Refusal;
use crate::transfer::{Group, Reason};
use crate::work::Work;
use cleave_kernel::{AccountId, Micros, Money, PaymentId, Timestamp};
use serde::{Deserialize, Serialize};

/// Money that came in.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Payment {
    /// Names it.
    pub id: PaymentId,
    /// The account it was credited to.
    pub account: AccountId,
    /// How much.
    pub amount: Money,
    /// The bank's reference: unique over all payments.
    pub external_ref: String,
    /// How it came.
    pub method: String,
    /// When it arrived.
    pub received_at: Timestamp,
    /// When it was recorded.
    pub created_at: Timestamp,
}

/// Records money that came in.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RecordPayment {
    /// The account to credit.
    pub account: AccountId,
    /// How much: positive.
    pub amount: Money,
    /// The bank's reference.
    pub external_ref: String,
    /// How it came.
    pub method: String,
    /// When it arrived; now when not said.
    pub received_at: Option<Timestamp>,
}

/// A payment, with what is free after it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Recorded {
    /// The payment.
    pub payment: Payment,
    /// The free balance after it.
    pub available: Micros,
}

impl Work {
    /// Records a payment and credits it to the running balance.
    ///
    /// # Errors
    /// When it was recorded before, or the account cannot take it.
    pub fn record_payment(&mut self, command: &RecordPayment) -> Result<Recorded, Refusal> {
        let account = self.known(command.account, &command.account)?.clone();
        account.check_open()?;
        account.check_party(Party::Advertiser)?;
        account.check_currency(command.amount.currency)?;
        if let Some(payment) = self.payment_with(&command.external_ref) {
            return Err(Refusal::PaymentAlreadyRecorded {
                external_ref: command.external_ref.clone(),
                payment,
            });
        }
        let payment = Payment {
            id: PaymentId::from_uuid(self.next_id()),
            account: account.id,
            amount: command.amount,
            external_ref: command.external_ref.clone(),
            method: command.method.clone(),
            received_at: command.received_at.unwrap_or(self.now()),
            created_at: self.now(),
        };
        let mut group = Group::new(payment.id.to_string());
        group.single(
            LedgerKey::platform(account.currency, Code::Bank),
            account.ledger(Code::AdvertiserBalance),
            command.amount.micros,
            Reason::Payment,
        );
        self.commit(group)?;
        self.add_payment(payment.clone());
        let available = self.free_of(&account)?;
        Ok(Recorded { payment, available })
    }
}
