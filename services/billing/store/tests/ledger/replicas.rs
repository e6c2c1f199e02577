//! Two replicas that do the same at the same moment: one does it, the other finds it done.

use crate::support::{Bench, ask, inr, opening, order, payment};
use billing_domain::account::{Account, Mode, OpenAccount, OpsRef};
use billing_domain::{Outcome, Refusal};
use billing_store::{Command, Decision, Store};
use cleave_kernel::{AdvertiserId, Micros};
use uuid::Uuid;

/// Submits each command to the replica beside it, all at once.
async fn at_once(
    stores: &[Store],
    commands: Vec<Command>,
    request: impl Fn() -> Uuid,
) -> Vec<Decision> {
    let asked = commands.into_iter().enumerate().map(|(index, command)| {
        let store = &stores[index % stores.len()];
        ask(store, command, request())
    });
    let answers = futures::future::join_all(asked).await;
    answers.into_iter().map(Result::unwrap).collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn given_the_same_opening_on_two_replicas_then_one_account_is_opened() {
    for bench in Bench::each_engine(2).await {
        for _ in 0..10 {
            let command = Command::OpenAccount(opening(AdvertiserId::generate(), 0));
            let commands = vec![command; 6];
            let decisions = at_once(&bench.stores, commands, Uuid::now_v7).await;
            for decision in &decisions {
                assert_eq!(decision, &decisions[0], "{:?}", bench.database);
                assert!(decision.is_ok());
            }
        }
        bench.close().await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn given_two_openings_that_differ_then_exactly_one_wins() {
    for bench in Bench::each_engine(2).await {
        for _ in 0..5 {
            let advertiser = AdvertiserId::generate();
            let other = OpenAccount {
                mode: Mode::Postpaid,
                ..opening(advertiser, 7)
            };
            let commands = vec![
                Command::OpenAccount(opening(advertiser, 0)),
                Command::OpenAccount(other),
            ];
            let decisions = at_once(&bench.stores, commands, Uuid::now_v7).await;
            let won = decisions.iter().filter(|decision| decision.is_ok());
            assert_eq!(won.count(), 1, "{decisions:?}");
            let lost = |d: &Decision| matches!(d, Err(Refusal::AccountAlreadyExists { .. }));
            assert!(decisions.iter().any(lost));
        }
        bench.close().await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn given_one_request_on_two_replicas_then_it_is_done_once() {
    for bench in Bench::each_engine(2).await {
        let (advertiser, account) = bench.advertiser(0, 1_000).await;
        for _ in 0..10 {
            let request = Uuid::now_v7();
            let commands = vec![Command::ReserveBudget(order(advertiser, 10)); 4];
            let decisions = at_once(&bench.stores, commands, || request).await;
            assert!(decisions.iter().all(|d| d == &decisions[0] && d.is_ok()));
        }
        let view = bench.store().account(account).await.unwrap().unwrap();
        assert_eq!(view.position.held, Micros::new(100), "{:?}", bench.database);
        bench.close().await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn given_one_bank_reference_for_two_accounts_then_it_is_credited_once() {
    for bench in Bench::each_engine(2).await {
        let one = bench.advertiser(0, 0).await.1;
        let two = bench.advertiser(0, 0).await.1;
        for _ in 0..5 {
            let to_one = payment(one, 10);
            let mut to_two = to_one.clone();
            to_two.account = two;
            let commands = vec![
                Command::RecordPayment(to_one),
                Command::RecordPayment(to_two),
            ];
            let decisions = at_once(&bench.stores, commands, Uuid::now_v7).await;
            let lost = |d: &&Decision| matches!(d, Err(Refusal::PaymentAlreadyRecorded { .. }));
            assert_eq!(decisions.iter().filter(lost).count(), 1, "{decisions:?}");
        }
        let (_, findings) = bench.verify().await;
        assert!(findings.is_empty(), "{findings:?}");
        bench.close().await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn given_the_first_accounts_of_a_currency_on_two_replicas_then_no_counter_is_lost() {
    for bench in Bench::each_engine(2).await {
        let advertisers: Vec<_> = (0..6).map(|_| AdvertiserId::generate()).collect();
        let work = advertisers.iter().enumerate().map(|(index, advertiser)| {
            let store = &bench.stores[index % 2];
            async move {
                let command = Command::OpenAccount(opening(*advertiser, 0));
                ask(store, command, Uuid::now_v7()).await.unwrap().unwrap();
                let account = Account::id_of(OpsRef::Advertiser(*advertiser));
                let command = Command::RecordPayment(payment(account, 100));
                let done = ask(store, command, Uuid::now_v7()).await.unwrap().unwrap();
                assert!(matches!(done, Outcome::Recorded(_)));
            }
        });
        futures::future::join_all(work).await;
        let (_, findings) = bench.verify().await;
        assert!(findings.is_empty(), "{:?}: {findings:?}", bench.database);
        let platform = billing_store::BalancesOf::Platform(inr(0).currency);
        let platform = bench.store().balances(platform).await.unwrap().unwrap();
        let bank = &platform.rows[0].counters;
        assert_eq!(bank.debits_posted, Micros::new(600), "{:?}", bench.database);
        bench.close().await;
    }
}
