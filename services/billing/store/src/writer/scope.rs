//! What the commands of a batch need loaded.

use crate::rating::RatingScope;
use billing_domain::Account;
use billing_domain::account::{OpenAccount, OpsRef};
use cleave_kernel::{AccountId, Currency, LineItemId, ReservationId};
use std::collections::{BTreeMap, BTreeSet};

/// The union of what the commands of one batch named.
#[derive(Debug, Default)]
pub(crate) struct Scope {
    pub(super) accounts: BTreeSet<AccountId>,
    /// Accounts that may be opened, and in which currency their ledger accounts would be.
    pub(super) opening: BTreeMap<AccountId, (OpsRef, Currency)>,
    pub(super) closing: BTreeSet<AccountId>,
    pub(super) reservations: BTreeSet<ReservationId>,
    pub(super) holds: BTreeSet<(AccountId, LineItemId)>,
    pub(super) payments: BTreeSet<String>,
    /// What rating needs.
    pub(crate) rating: RatingScope,
}

impl Scope {
    /// An account, with its ledger accounts and the platform's in its currency.
    pub(crate) fn account(&mut self, id: AccountId) {
        self.accounts.insert(id);
    }

    pub(super) fn opening(&mut self, command: &OpenAccount) {
        let id = Account::id_of(command.ops_ref);
        self.opening.insert(id, (command.ops_ref, command.currency));
    }

    /// An account that may close, with what of its delivery is not final.
    pub(super) fn closing(&mut self, id: AccountId) {
        self.account(id);
        self.closing.insert(id);
    }

    /// A reservation, with its account.
    pub(crate) fn reservation(&mut self, id: ReservationId) {
        self.reservations.insert(id);
    }

    /// The live holds of a line item on an account, and the account.
    pub(crate) fn holds_of(&mut self, account: AccountId, line_item: LineItemId) {
        self.account(account);
        self.holds.insert((account, line_item));
    }

    pub(super) fn payment(&mut self, external_ref: &str) {
        self.payments.insert(external_ref.to_owned());
    }
}
