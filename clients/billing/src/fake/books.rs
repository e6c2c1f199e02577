//! What the fake remembers: accounts, reservations, charges, and the outcome of every request.

use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, Mutex, PoisonError};

use prost::Message;
use tokio::sync::watch;
use tonic::{Code, Status};
use uuid::Uuid;

use super::clock::{Clock, has_come};
use super::refusal::refuse;
use crate::pb::reservation::{CloseCause, State};
use crate::types::{AccountStanding, Money, PartyKind};
use crate::{pb, types};

/// The books behind a lock, and a signal for those who watch them.
#[derive(Clone, Debug, Default)]
pub(super) struct Shelf {
    books: Arc<Mutex<Books>>,
    changed: watch::Sender<i64>,
}

impl Shelf {
    /// Reads or changes the books, as of now: leases whose time has passed have ended.
    pub(super) fn edit<T>(&self, act: impl FnOnce(&mut Books) -> T) -> T {
        // Every change is whole before anything can panic, so a poisoned lock guards sound books.
        let mut books = self.books.lock().unwrap_or_else(PoisonError::into_inner);
        books.expire();
        let result = act(&mut books);
        books.expire();
        self.changed.send_replace(books.revision);
        result
    }

    /// Resolves when the books have changed.
    pub(super) fn changes(&self) -> watch::Receiver<i64> {
        self.changed.subscribe()
    }
}

/// One account with its money.
#[derive(Debug)]
pub(super) struct Account {
    pub(super) wire: pb::BillingAccount,
    balance: i64,
    standing: Option<AccountStanding>,
    /// The revision at which it last changed.
    pub(super) revision: i64,
}

/// What a request was, by type and content.
type Fingerprint = Vec<u8>;
/// The first answer to a request, encoded.
type Outcome = Result<Vec<u8>, Status>;

/// Accounts by the party that owns them, and the rest.
#[derive(Debug)]
pub(super) struct Books {
    pub(super) clock: Clock,
    /// Which life of the database this is; resume tokens carry it.
    pub(super) epoch: Uuid,
    pub(super) revision: i64,
    pub(super) accounts: BTreeMap<String, Account>,
    pub(super) reservations: Vec<pb::Reservation>,
    /// What line items were charged, with the account that paid.
    pub(super) charges: BTreeMap<String, (String, i64)>,
    outcomes: HashMap<String, (Fingerprint, Outcome)>,
}

impl Default for Books {
    fn default() -> Self {
        Self {
            clock: Clock::default(),
            epoch: Uuid::now_v7(),
            revision: 0,
            accounts: BTreeMap::new(),
            reservations: Vec::new(),
            charges: BTreeMap::new(),
            outcomes: HashMap::new(),
        }
    }
}

impl Books {
    /// Carries a request out the first time, and answers as then every time after: refusals too.
    pub(super) fn once<Req, Resp>(
        &mut self,
        request_id: &str,
        request: &Req,
        act: impl FnOnce(&mut Self) -> Result<Resp, Status>,
    ) -> Result<Resp, Status>
    where
        Req: Message,
        Resp: Message + Default,
    {
        let mut fingerprint = std::any::type_name::<Req>().as_bytes().to_vec();
        fingerprint.extend(request.encode_to_vec());
        if let Some((first, outcome)) = self.outcomes.get(request_id) {
            if *first != fingerprint {
                let metadata = [("request_id", request_id)];
                let code = Code::FailedPrecondition;
                return Err(refuse(code, "REQUEST_MISMATCH", &metadata));
            }
            let bytes = outcome.clone()?;
            return Resp::decode(&*bytes).map_err(|error| Status::internal(error.to_string()));
        }
        let outcome = act(self);
        let remembered = outcome
            .as_ref()
            .map(Message::encode_to_vec)
            .map_err(Clone::clone);
        self.outcomes
            .insert(request_id.to_owned(), (fingerprint, remembered));
        outcome
    }

    pub(super) fn insert(&mut self, account: pb::BillingAccount) {
        let ops_ref = account.ops_ref.clone();
        let account = Account {
            wire: account,
            balance: 0,
            standing: None,
            revision: 0,
        };
        self.accounts.insert(ops_ref.clone(), account);
        self.touch(&ops_ref);
    }

    pub(super) fn pay(&mut self, ops_ref: &str, micros: i64) {
        if let Some(account) = self.accounts.get_mut(ops_ref) {
            account.balance += micros;
            self.touch(ops_ref);
        }
    }

    pub(super) fn set_standing(&mut self, ops_ref: &str, standing: Option<AccountStanding>) {
        if let Some(account) = self.accounts.get_mut(ops_ref) {
            account.standing = standing;
            self.touch(ops_ref);
        }
    }

    pub(super) fn charge(&mut self, ops_ref: &str, line_item_id: &str, micros: i64) {
        let mut open = micros;
        for hold in &mut self.reservations {
            if hold.line_item_id != line_item_id || open == 0 {
                continue;
            }
            let drawn = open.min(held(hold));
            open -= drawn;
            add(&mut hold.posted, drawn);
            if drawn > 0 && held(hold) == 0 {
                close(hold, CloseCause::Used);
            }
        }
        let charged = self
            .charges
            .entry(line_item_id.to_owned())
            .or_insert((ops_ref.to_owned(), 0));
        charged.1 += micros;
        self.pay(ops_ref, -micros);
    }

    /// Starts another life of the database.
    pub(super) fn restore(&mut self) {
        self.epoch = Uuid::now_v7();
    }

    /// Notes that an account has changed.
    pub(super) fn touch(&mut self, ops_ref: &str) {
        self.revision += 1;
        if let Some(account) = self.accounts.get_mut(ops_ref) {
            account.revision = self.revision;
        }
    }

    /// Ends what time has ended.
    fn expire(&mut self) {
        let now = self.clock.now();
        let mut touched = Vec::new();
        for hold in &mut self.reservations {
            if hold.state() == State::Held && has_come(hold.serve_until_time.as_ref(), now) {
                hold.set_state(State::Settling);
            }
            if hold.state() == State::Settling && has_come(hold.settle_until_time.as_ref(), now) {
                let rest = held(hold);
                add(&mut hold.freed, rest);
                close(hold, CloseCause::Expired);
                touched.push(hold.advertiser_id.clone());
            }
        }
        for ops_ref in touched {
            self.touch(&ops_ref);
        }
    }

    /// What live reservations of a party hold.
    pub(super) fn held(&self, ops_ref: &str) -> i64 {
        let own = |hold: &&pb::Reservation| hold.advertiser_id == ops_ref;
        self.reservations.iter().filter(own).map(held).sum()
    }

    pub(super) fn standing_info(&self, ops_ref: &str) -> Option<pb::AccountStandingInfo> {
        let account = self.accounts.get(ops_ref)?;
        let held_micros = self.held(ops_ref);
        let without_holds = account.balance + account.wire.credit_limit_micros;
        let (standing, reasons) = standing(account, without_holds);
        Some(pb::AccountStandingInfo {
            account_id: account.wire.id.clone(),
            ops_ref: ops_ref.to_owned(),
            party: account.wire.party,
            currency_code: account.wire.currency_code.clone(),
            state: account.wire.state,
            standing: standing.into(),
            reasons,
            available_micros: without_holds - held_micros,
            held_micros,
            credit_limit_micros: account.wire.credit_limit_micros,
            revision: account.revision,
            as_of_time: Some(self.clock.timestamp()),
        })
    }
}

/// The standing of an account that has `without_holds` left, were nothing held.
fn standing(account: &Account, without_holds: i64) -> (AccountStanding, Vec<i32>) {
    if let Some(set) = account.standing {
        return (set, vec![pb::StandingReason::Override.into()]);
    }
    if account.wire.party() == PartyKind::Advertiser && without_holds <= 0 {
        let reasons = vec![pb::StandingReason::NoFunds.into()];
        return (AccountStanding::OnHold, reasons);
    }
    (AccountStanding::Active, Vec::new())
}

fn micros(money: Option<&Money>) -> i64 {
    money.map_or(0, |money| money.micros)
}

pub(super) fn add(money: &mut Option<types::Money>, micros: i64) {
    money.get_or_insert_default().micros += micros;
}

pub(super) fn granted(hold: &pb::Reservation) -> i64 {
    micros(hold.granted.as_ref())
}

pub(super) fn posted(hold: &pb::Reservation) -> i64 {
    micros(hold.posted.as_ref())
}

fn freed(hold: &pb::Reservation) -> i64 {
    micros(hold.freed.as_ref())
}

/// What a reservation still holds.
pub(super) fn held(hold: &pb::Reservation) -> i64 {
    granted(hold) - posted(hold) - freed(hold)
}

pub(super) fn close(hold: &mut pb::Reservation, cause: CloseCause) {
    hold.set_state(State::Closed);
    hold.set_close_cause(cause);
}
