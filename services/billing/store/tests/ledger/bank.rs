//! The bank test: many people at few accounts, from two replicas where the engine allows it. Whatever they do, the sums agree, nobody
//! spends what is not there, and the whole history replays to what is stored.

use crate::support::{Bench, Rated, ask, opening, order, payment};
use billing_domain::adjustment::{Direction, Kind, PostAdjustment};
use billing_domain::book::LedgerAccount;
use billing_domain::chart::Code;
use billing_domain::reserve::{ReleaseReservation, ReserveBudget};
use billing_domain::standing::Position;
use billing_domain::{Book, Outcome};
use billing_store::{
    AccountFilter, BalancesOf, Command, Decision, Store, StoreError, TransferFilter,
};
use cleave_kernel::{AccountId, AdvertiserId, LineItemId, Micros, ReservationId};
use std::collections::BTreeMap;
use std::time::Duration;
use uuid::Uuid;

const PEOPLE: usize = 64;
const DEEDS: usize = 20;
const REPORTS: i64 = 25;
const HOT_ACCOUNTS: usize = 3;
const LIMIT: i64 = 500;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn given_many_people_at_few_accounts_when_all_act_at_once_then_the_bank_is_right() {
    for bench in Bench::each_engine(2).await {
        let publisher = bench.publisher().await;
        let mut accounts = Vec::new();
        for _ in 0..HOT_ACCOUNTS {
            accounts.push(bench.advertiser(LIMIT, 2_000).await);
        }
        let reporters: Vec<_> = accounts
            .iter()
            .zip(1..)
            .map(|((advertiser, _), seed)| {
                let rated = bench.rated(*advertiser, publisher, seed);
                (
                    rated.line_item,
                    tokio::spawn(report(bench.stores.clone(), rated, seed)),
                )
            })
            .collect();
        let line_items: Vec<_> = reporters.iter().map(|(item, _)| *item).collect();
        let people = (0..PEOPLE).map(|person| {
            let person = Person {
                stores: bench.stores.clone(),
                accounts: accounts.clone(),
                line_items: line_items.clone(),
                random: fastrand::Rng::with_seed(u64::try_from(person).unwrap()),
                holds: Vec::new(),
            };
            tokio::spawn(person.live())
        });
        let watching = tokio::spawn(watch_limits(bench.stores[1].clone(), accounts.clone()));
        let clock = bench.clock.clone();
        let store = bench.store().clone();
        let expiring = tokio::spawn(async move {
            loop {
                clock.advance(Duration::from_secs(5));
                expire(&store).await;
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
        });
        for person in people.collect::<Vec<_>>() {
            person.await.unwrap();
        }
        for (_, reporter) in reporters {
            reporter.await.unwrap();
        }
        expiring.abort();
        let _ = expiring.await;
        assert!(!watching.is_finished(), "the watch saw a limit broken");
        watching.abort();

        let (summary, findings) = bench.verify().await;
        assert!(findings.is_empty(), "{:?}: {findings:?}", bench.database);
        assert!(summary.transfers > 300, "{summary:?}");
        assert_eq!(
            summary.rows,
            i64::try_from(HOT_ACCOUNTS).unwrap(),
            "I5 is checked"
        );
        replay(&bench, &accounts).await;
        bench.close().await;
    }
}

/// Somebody who reports delivery of one line item, again and again, up and down, to both replicas at once.
async fn report(stores: Vec<Store>, mut rated: Rated, seed: u64) {
    let mut random = fastrand::Rng::with_seed(seed);
    for revision in 1..=REPORTS {
        let row = rated.row(seed, revision, random.i64(0..300));
        let command = Command::RateDelivery(Box::new(row));
        let (one, two) = tokio::join!(
            until_done(&stores[0], &command),
            until_done(&stores[1], &command)
        );
        for done in [one, two] {
            assert!(matches!(done, Outcome::Rated(report) if report.parked == 0));
        }
        if random.u8(..4) == 0 {
            let command = Command::SettleUnfunded(rated.settlement());
            until_done(&stores[0], &command).await;
        }
    }
}

/// Somebody who pays, reserves, releases and corrects, and asks everything twice, of two replicas at once.
struct Person {
    stores: Vec<Store>,
    accounts: Vec<(AdvertiserId, AccountId)>,
    line_items: Vec<LineItemId>,
    random: fastrand::Rng,
    holds: Vec<ReservationId>,
}

impl Person {
    async fn live(mut self) {
        for _ in 0..DEEDS {
            let command = self.deed();
            let request = Uuid::now_v7();
            let (one, two) = (&self.stores[0], &self.stores[1]);
            let (first, second) = tokio::join!(
                until_decided(one, &command, request),
                until_decided(two, &command, request)
            );
            assert_eq!(first, second, "one request, one outcome");
            if let Ok(Outcome::Reserved(reserved)) = first {
                self.holds.push(reserved.reservation.id);
            }
        }
    }

    fn deed(&mut self) -> Command {
        let which = self.random.usize(..self.accounts.len());
        let (advertiser, account) = self.accounts[which];
        let amount = self.random.i64(1..400);
        match self.random.u8(..10) {
            0..2 => Command::RecordPayment(payment(account, amount)),
            2..6 => Command::ReserveBudget(ReserveBudget {
                line_item: self.line_items[which],
                ..order(advertiser, amount)
            }),
            6..8 if !self.holds.is_empty() => {
                let hold = self.holds[self.random.usize(..self.holds.len())];
                Command::ReleaseReservation(ReleaseReservation {
                    reservation: hold,
                    counted_spend: crate::support::inr(self.random.i64(0..200)),
                })
            }
            8 => Command::OpenAccount(opening(advertiser, LIMIT)),
            _ => Command::PostAdjustment(PostAdjustment {
                account,
                kind: Kind::Discrepancy,
                direction: Direction::Debit,
                amount: crate::support::inr(amount),
                reason: "taken out".to_owned(),
                actor: "bank".to_owned(),
            }),
        }
    }
}

/// Asks until there is a decision: contention that the writer gave up on is asked again, under the same id.
async fn until_decided(store: &Store, command: &Command, request: Uuid) -> Decision {
    for _ in 0..20 {
        match ask(store, command.clone(), request).await {
            Ok(decision) => return decision,
            Err(StoreError::Storage(error)) if error.is_retryable() => {}
            Err(error) => panic!("{error:?}"),
        }
    }
    panic!("contention without end");
}

/// The same for commands of our own, which are repeated as they are.
async fn until_done(store: &Store, command: &Command) -> Outcome {
    for _ in 0..20 {
        let submission = billing_store::Submission::internal(command.clone());
        match store.submit(submission).await {
            Ok(decision) => return decision.unwrap(),
            Err(StoreError::Storage(error)) if error.is_retryable() => {}
            Err(error) => panic!("{error:?}"),
        }
    }
    panic!("contention without end");
}

async fn expire(store: &Store) {
    let now = store.clock().now();
    let due = store.due_reservations(now, 100).await.unwrap();
    if !due.is_empty() {
        until_done(store, &Command::ExpireReservations(due)).await;
    }
}

/// Reads the free balances again and again; ends only when one is below zero.
async fn watch_limits(store: Store, accounts: Vec<(AdvertiserId, AccountId)>) {
    let ids: Vec<_> = accounts.into_iter().map(|(_, account)| account).collect();
    loop {
        let views = store.accounts(&ids).await.unwrap();
        if views.values().any(|view| view.free().is_negative()) {
            return;
        }
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
}

/// I1 to I4 after every single transfer, by the rules that wrote them, then against what is stored.
async fn replay(bench: &Bench, accounts: &[(AdvertiserId, AccountId)]) {
    let store = bench.store();
    let mut stored: BTreeMap<_, LedgerAccount> = BTreeMap::new();
    let platform = BalancesOf::Platform(crate::support::inr(0).currency);
    let owners = accounts.iter().map(|(_, id)| BalancesOf::Account(*id));
    let publishers = store
        .list_accounts(&AccountFilter::default(), None, 100)
        .await
        .unwrap();
    let publishers = publishers.iter().filter(|account| !account.is_advertiser());
    let publishers = publishers.map(|account| BalancesOf::Account(account.id));
    for of in owners.chain([platform]).chain(publishers) {
        for row in store.balances(of).await.unwrap().unwrap().rows {
            stored.insert(row.key.id(), row);
        }
    }
    let ids: Vec<_> = accounts.iter().map(|(_, account)| *account).collect();
    let views = store.accounts(&ids).await.unwrap();
    let mut book = Book::default();
    for row in stored.values() {
        book.load(LedgerAccount::new(row.key));
    }
    let everything = TransferFilter::default();
    let mut seq = 0;
    loop {
        let page = store.list_transfers(&everything, seq, 500).await.unwrap();
        if page.is_empty() {
            break;
        }
        for row in page {
            assert_eq!(row.seq, seq + 1, "no gaps in {:?}", bench.database);
            seq = row.seq;
            book.post(&[row.transfer]).unwrap();
            for view in views.values() {
                let account = &view.account;
                let counters = |code: Code| book.counters(account.ledger(code));
                let free = Position::of(account, counters).unwrap().free(account);
                assert!(!free.is_negative(), "I3 after transfer {seq}");
            }
        }
    }
    for account in book.accounts() {
        assert_eq!(Some(account), stored.get(&account.key.id()));
    }
    let net: i128 = book
        .accounts()
        .map(|account| {
            let (debits, credits) = (
                account.counters.debits_posted,
                account.counters.credits_posted,
            );
            i128::from(debits.get()) - i128::from(credits.get())
        })
        .sum();
    assert_eq!(net, 0, "I1");
    assert!(seq > 0);
    assert!(book.pendings().all(|(_, left)| left > Micros::ZERO));
}
