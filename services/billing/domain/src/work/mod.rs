//! The working set of one transaction: the rows that its commands need, held in memory and changed by the rules alone.
//!
//! Commands are applied in turn; each sees what those before it did. A refused command leaves no trace: rules compute first,
//! then move money through one atomic [`Work::commit`], then write down what cannot fail.

mod changes;
mod holds;
mod post;

pub(crate) use holds::Purse;

use crate::account::{Account, OpenDelivery};
use crate::adjustment::Adjustment;
use crate::book::{Book, Pending};
use crate::chart::{Code, LedgerKey};
use crate::payment::Payment;
use crate::period::Period;
use crate::rating_set::RatingSet;
use crate::refusal::Refusal;
use crate::reservation::Reservation;
use crate::transfer::Transfer;
use cleave_kernel::{AccountId, LineItemId, Micros, PaymentId, ReservationId, Timestamp};
use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::fmt;
use uuid::Uuid;

/// Where new ids come from.
pub type NextId = fn() -> Uuid;

/// The rows of one transaction.
#[derive(Debug, Clone)]
pub struct Work {
    now: Timestamp,
    period: Period,
    next_id: NextId,
    book: Book,
    staged: Vec<Transfer>,
    accounts: BTreeMap<AccountId, Account>,
    touched_accounts: BTreeSet<AccountId>,
    reservations: BTreeMap<ReservationId, Reservation>,
    touched_reservations: BTreeSet<ReservationId>,
    open_deliveries: BTreeMap<AccountId, OpenDelivery>,
    payments: HashMap<String, PaymentId>,
    new_payments: Vec<Payment>,
    new_adjustments: Vec<Adjustment>,
    /// The rows of rating.
    pub rating: RatingSet,
}

impl Work {
    /// An empty working set at one moment.
    pub fn new(now: Timestamp, period: Period, next_id: NextId) -> Self {
        Self {
            now,
            period,
            next_id,
            book: Book::default(),
            staged: Vec::new(),
            accounts: BTreeMap::new(),
            touched_accounts: BTreeSet::new(),
            reservations: BTreeMap::new(),
            touched_reservations: BTreeSet::new(),
            open_deliveries: BTreeMap::new(),
            payments: HashMap::new(),
            new_payments: Vec::new(),
            new_adjustments: Vec::new(),
            rating: RatingSet::default(),
        }
    }

    /// The moment of the transaction.
    pub const fn now(&self) -> Timestamp {
        self.now
    }

    /// Moves the moment on, for a history of many transactions held in memory.
    pub const fn set_now(&mut self, now: Timestamp) {
        self.now = now;
    }

    /// Sets the moment and its accounting month, once the rows are there and before any command is applied.
    pub const fn set_moment(&mut self, now: Timestamp, period: Period) {
        self.now = now;
        self.period = period;
    }

    /// The accounting month that the transaction books into.
    pub const fn period(&self) -> Period {
        self.period
    }

    /// A new id.
    pub fn next_id(&self) -> Uuid {
        (self.next_id)()
    }

    /// Adds an account as it is stored.
    pub fn load_account(&mut self, account: Account) {
        self.accounts.insert(account.id, account);
    }

    /// Adds what of an account's delivery is not final.
    pub fn load_open_delivery(&mut self, account: AccountId, open: OpenDelivery) {
        self.open_deliveries.insert(account, open);
    }

    pub(crate) fn open_delivery(&self, account: AccountId) -> Option<OpenDelivery> {
        self.open_deliveries.get(&account).copied()
    }

    /// The ledger accounts, to be filled.
    pub fn book_mut(&mut self) -> &mut Book {
        &mut self.book
    }

    /// Adds a reservation as it is stored.
    pub fn load_reservation(&mut self, reservation: Reservation) {
        if let Ok(left) = reservation.left()
            && left.is_positive()
        {
            let pending = Pending {
                debit: held_from(&reservation).id(),
                credit: held_for(&reservation).id(),
                left,
            };
            self.book.load_pending(reservation.pending(), pending);
        }
        self.reservations.insert(reservation.id, reservation);
    }

    /// Adds a payment that was recorded before.
    pub fn load_payment(&mut self, external_ref: String, payment: PaymentId) {
        self.payments.insert(external_ref, payment);
    }

    /// The ledger accounts.
    pub const fn book(&self) -> &Book {
        &self.book
    }

    /// An account, if it exists.
    pub fn account(&self, id: AccountId) -> Option<&Account> {
        self.accounts.get(&id)
    }

    /// A reservation, if it exists.
    pub fn reservation(&self, id: ReservationId) -> Option<&Reservation> {
        self.reservations.get(&id)
    }

    /// The holds on an account that a line item's rows may draw from, oldest first.
    pub fn live_holds(&self, account: AccountId, line_item: LineItemId) -> Vec<ReservationId> {
        let mut live: Vec<_> = self
            .reservations
            .values()
            .filter(|r| r.account == account && r.line_item == line_item && r.is_live())
            .collect();
        live.sort_by_key(|r| (r.created_at, r.id));
        live.into_iter().map(|r| r.id).collect()
    }

    /// What an account may still spend: balance - held + limit - receivable.
    ///
    /// # Errors
    /// When there is no such account, or the sum leaves 64 bits.
    pub fn free(&self, account: AccountId) -> Result<Micros, Refusal> {
        self.free_of(self.known(account, &account)?)
    }

    pub(crate) fn free_of(&self, account: &Account) -> Result<Micros, Refusal> {
        Ok(self.position(account)?.free(account))
    }

    /// The account, or a refusal that names it as `asked`.
    pub(crate) fn known(
        &self,
        id: AccountId,
        asked: &dyn fmt::Display,
    ) -> Result<&Account, Refusal> {
        self.account(id).ok_or_else(|| Refusal::AccountNotFound {
            account: asked.to_string(),
        })
    }

    /// An open account that a person may edit.
    pub(crate) fn editable(&self, id: AccountId, etag: &str) -> Result<Account, Refusal> {
        let account = self.known(id, &id)?;
        account.check_open()?;
        account.check_etag(etag)?;
        Ok(account.clone())
    }
}

const fn held_from(reservation: &Reservation) -> LedgerKey {
    LedgerKey::account(
        reservation.account,
        reservation.currency,
        Code::AdvertiserBalance,
    )
}

const fn held_for(reservation: &Reservation) -> LedgerKey {
    LedgerKey::platform(reservation.currency, Code::DeliveryClearing)
}
