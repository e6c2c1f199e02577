//! What a transaction changed, for whoever stores it.

use super::Work;
use crate::account::Account;
use crate::adjustment::Adjustment;
use crate::payment::Payment;
use crate::reservation::Reservation;
use crate::transfer::Transfer;
use cleave_kernel::{AccountId, PaymentId};

impl Work {
    /// Puts an account in place, new or changed.
    pub(crate) fn put_account(&mut self, account: Account) -> &Account {
        let id = account.id;
        self.accounts.insert(id, account);
        self.touch(id);
        &self.accounts[&id]
    }

    pub(super) fn touch(&mut self, id: AccountId) {
        if let Some(account) = self.accounts.get_mut(&id) {
            account.revision += 1;
            self.touched_accounts.insert(id);
        }
    }

    pub(crate) fn payment_with(&self, external_ref: &str) -> Option<PaymentId> {
        self.payments.get(external_ref).copied()
    }

    pub(crate) fn add_payment(&mut self, payment: Payment) {
        self.payments
            .insert(payment.external_ref.clone(), payment.id);
        self.new_payments.push(payment);
    }

    pub(crate) fn add_adjustment(&mut self, adjustment: Adjustment) {
        self.new_adjustments.push(adjustment);
    }

    /// The transfers made so far, in the order in which they were made.
    pub fn staged(&self) -> &[Transfer] {
        &self.staged
    }

    /// The accounts that changed.
    pub fn touched_accounts(&self) -> impl Iterator<Item = &Account> {
        self.touched_accounts
            .iter()
            .filter_map(|id| self.accounts.get(id))
    }

    /// The reservations that changed.
    pub fn touched_reservations(&self) -> impl Iterator<Item = &Reservation> {
        self.touched_reservations
            .iter()
            .filter_map(|id| self.reservations.get(id))
    }

    /// The payments recorded so far.
    pub fn new_payments(&self) -> &[Payment] {
        &self.new_payments
    }

    /// The adjustments posted so far.
    pub fn new_adjustments(&self) -> &[Adjustment] {
        &self.new_adjustments
    }

    /// An account that changed and has less than nothing to spend: never, unless a rule is wrong.
    pub fn overdrawn(&self) -> Option<AccountId> {
        self.touched_accounts()
            .find(|account| {
                self.free_of(account)
                    .is_ok_and(|free| free.is_negative() && account.is_advertiser())
            })
            .map(|account| account.id)
    }
}
