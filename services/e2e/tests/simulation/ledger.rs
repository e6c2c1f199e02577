//! Billing's database: the domain's working set held for the whole run, with the outcome of every request.
//! It outlives every replica. What is done in [`Ledger::commit`] is one transaction.

use crate::wire::inr;
use billing_client::pb::AccountStandingInfo;
use billing_domain::account::{Account, Mode, OpenAccount, OpsRef};
use billing_domain::book::LedgerAccount;
use billing_domain::chart::{Code as Ledgers, LedgerKey};
use billing_domain::payment::RecordPayment;
use billing_domain::{Period, Refusal, Work};
use cleave_kernel::{AccountId, AdvertiserId, LedgerAccountId, Micros, Timestamp};
use operations_domain::delivery::{Admission, DeliveryKey, DeliveryRow, Gates};
use prost::Message;
use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use tokio::sync::Notify;
use tokio::sync::futures::Notified;
use tonic::{Code, Status};
use uuid::Uuid;

/// What a request was, and the first answer to it.
type Kept = (Vec<u8>, Result<Vec<u8>, (Code, String)>);

/// The tables.
pub(crate) struct Tables {
    pub(crate) work: Work,
    /// The outcome of every request, for ever.
    pub(crate) answers: BTreeMap<Uuid, Kept>,
    /// What was taken over of Operations' delivery, and how far.
    pub(crate) taken: BTreeMap<DeliveryKey, (i64, i64)>,
    pub(crate) progress: i64,
    /// Where the balance of each account is.
    ledgers: BTreeMap<AccountId, LedgerAccountId>,
    /// The position of the last change of each account.
    changed: BTreeMap<AccountId, (String, i64)>,
    head: i64,
    /// For the test of the test: requests are not remembered.
    forgetful: bool,
}

/// The tables behind a lock, and a signal for those who follow them.
pub(crate) struct Ledger {
    tables: Mutex<Tables>,
    grown: Notify,
}

/// Ids follow from the seed, like all that is left to chance.
fn next_id() -> Uuid {
    Uuid::from_u128(fastrand::u128(..))
}

impl Ledger {
    /// An account with a little money for each advertiser.
    pub(crate) fn open(advertisers: &[AdvertiserId], now: Timestamp, forgetful: bool) -> Self {
        let mut work = Work::new(now, Period::from_index(24_310), next_id);
        for code in Ledgers::OF_PLATFORM {
            work.book_mut()
                .load(LedgerAccount::new(LedgerKey::platform(inr(), *code)));
        }
        let mut changed = BTreeMap::new();
        let mut ledgers = BTreeMap::new();
        for advertiser in advertisers {
            let opening = OpenAccount {
                ops_ref: OpsRef::Advertiser(*advertiser),
                display_name: "Simulated".to_owned(),
                currency: inr(),
                mode: Mode::Prepaid,
                credit_limit: Micros::ZERO,
                net_days: 0,
            };
            let account = work.open_account(&opening).expect("an opening").account;
            for code in account.codes() {
                work.book_mut()
                    .load(LedgerAccount::new(account.ledger(*code)));
            }
            let payment = RecordPayment {
                account: account.id,
                amount: crate::wire::money(1_000),
                external_ref: format!("opening {advertiser}"),
                method: String::new(),
                received_at: None,
            };
            work.record_payment(&payment).expect("a payment");
            ledgers.insert(account.id, account.ledger(Ledgers::AdvertiserBalance).id());
            changed.insert(account.id, (advertiser.to_string(), 1));
        }
        let tables = Tables {
            work,
            answers: BTreeMap::new(),
            taken: BTreeMap::new(),
            progress: 0,
            ledgers,
            changed,
            head: 1,
            forgetful,
        };
        Self {
            tables: Mutex::new(tables),
            grown: Notify::new(),
        }
    }

    /// The tables, to look at.
    pub(crate) fn tables(&self) -> MutexGuard<'_, Tables> {
        self.tables.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// One transaction at the instant of the replica that makes it.
    pub(crate) fn commit<T>(&self, now: Timestamp, act: impl FnOnce(&mut Tables) -> T) -> T {
        let mut tables = self.tables();
        tables.work.set_now(now);
        let before = tables.balances();
        let done = act(&mut tables);
        let after = tables.balances();
        for (account, balance) in after {
            if before.get(&account) != Some(&balance) {
                tables.head += 1;
                let head = tables.head;
                tables
                    .changed
                    .entry(account)
                    .and_modify(|(_, at)| *at = head);
            }
        }
        self.grown.notify_waiters();
        done
    }

    /// Tells when there is more.
    pub(crate) fn grown(&self) -> Notified<'_> {
        self.grown.notified()
    }
}

impl Tables {
    /// Carries a request out the first time, and answers as then every time after: refusals too.
    pub(crate) fn once<Req: Message, Resp: Message + Default>(
        &mut self,
        request_id: &str,
        request: &Req,
        act: impl FnOnce(&mut Work) -> Result<Resp, Refusal>,
    ) -> Result<Resp, Status> {
        let id: Uuid = crate::wire::id("request_id", request_id)?;
        let fingerprint = request.encode_to_vec();
        if let Some((first, answer)) = self.answers.get(&id).filter(|_| !self.forgetful) {
            if *first != fingerprint {
                return Err(Status::failed_precondition("another request had this id"));
            }
            return match answer {
                Ok(bytes) => Ok(Resp::decode(&**bytes).expect("our own bytes")),
                Err((code, why)) => Err(Status::new(*code, why.clone())),
            };
        }
        let refused = |refusal: Refusal| (Code::FailedPrecondition, refusal.to_string());
        let outcome = act(&mut self.work).map_err(refused);
        let kept = outcome
            .as_ref()
            .map(Message::encode_to_vec)
            .map_err(Clone::clone);
        self.answers.insert(id, (fingerprint, kept));
        outcome.map_err(|(code, why)| Status::new(code, why))
    }

    /// Takes over rows of delivery, with how far that gets.
    pub(crate) fn take_over(&mut self, rows: &[DeliveryRow], reached: i64) {
        for row in rows {
            let stored = self.taken.get(&row.key).map(|(revision, _)| *revision);
            if matches!(
                row.admit(stored, &Gates::default()),
                Admission::Insert | Admission::Update
            ) {
                let total = (row.revision, row.counts.impressions);
                self.taken.insert(row.key.clone(), total);
            }
        }
        self.progress = self.progress.max(reached);
    }

    /// What each account has free, and what is held of it. The accounts are prepaid, so nothing else counts.
    pub(crate) fn balances(&self) -> BTreeMap<AccountId, (i64, i64)> {
        let of = |(id, ledger): (&AccountId, &LedgerAccountId)| {
            let account = self.work.book().account(*ledger);
            let counters = account.map(|account| account.counters).unwrap_or_default();
            let balance = counters.credits_posted.get() - counters.debits_posted.get();
            let held = counters.debits_pending.get();
            (*id, (balance - held, held))
        };
        self.ledgers.iter().map(of).collect()
    }

    /// The accounts that changed after a position, and how far they reach.
    pub(crate) fn changed_after(&self, position: i64) -> (Vec<AccountStandingInfo>, i64) {
        let balances = self.balances();
        let mut news: Vec<_> = self
            .changed
            .iter()
            .filter(|(_, (_, at))| *at > position)
            .collect();
        news.sort_by_key(|(_, (_, at))| *at);
        let reached = news.last().map_or(position, |(_, (_, at))| *at);
        let info = |(id, (owner, at)): (&AccountId, &(String, i64))| {
            let (available_micros, held_micros) = balances.get(id).copied().unwrap_or_default();
            AccountStandingInfo {
                account_id: id.to_string(),
                ops_ref: owner.clone(),
                currency_code: "INR".to_owned(),
                available_micros,
                held_micros,
                revision: *at,
                ..AccountStandingInfo::default()
            }
        };
        (news.into_iter().map(info).collect(), reached)
    }
}

/// The account of an advertiser.
pub(crate) fn account_of(advertiser: AdvertiserId) -> AccountId {
    Account::id_of(OpsRef::Advertiser(advertiser))
}
