//! One writer: outcomes kept, batches shared, rows that read back as they were written.

use crate::support::{Bench, ask, opening, order, pay, payment, reserve};
use billing_domain::account::{CloseAccount, Mode, OpenAccount, UpdateCreditTerms};
use billing_domain::standing::{OverrideStanding, Standing};
use billing_domain::{Account, Outcome, Refusal};
use billing_store::{
    AccountFilter, Command, ReservationFilter, Store, StoreError, Submission, TransferFilter,
};
use cleave_kernel::{AccountId, AdvertiserId, Clock, Micros, ReservationId, Timestamp};
use std::time::Duration;
use uuid::Uuid;

/// Lengthened to a power of two, more than any engine binds in one statement.
const KEYS: usize = 32_769;

async fn account(store: &Store, id: AccountId) -> Account {
    store.account(id).await.unwrap().unwrap().account
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn given_an_account_with_everything_when_written_then_it_reads_back() {
    for bench in Bench::each_engine(1).await {
        let store = bench.store();
        let (_, id) = bench.advertiser(i64::MAX, 0).await;
        let opened = account(store, id).await;
        let set = Command::OverrideStanding(OverrideStanding {
            account: id,
            etag: opened.etag(),
            standing: Standing::Stop,
            reason: "Grund: 漢字 😀 'quoted' \\ ".to_owned(),
            actor: "x".repeat(200),
            ends_at: Timestamp::from_micros(i64::MAX),
        });
        let done = ask(store, set, Uuid::now_v7()).await.unwrap().unwrap();
        let Outcome::Changed(changed) = done else {
            panic!("{done:?}")
        };
        assert_eq!(changed.standing, Standing::Stop);
        let changed = changed.account;
        assert_eq!(account(store, id).await, changed, "{:?}", bench.database);
        assert_eq!(changed.version, 2);
        let everyone = AccountFilter::default();
        let listed = store.list_accounts(&everyone, None, 10).await.unwrap();
        assert_eq!(listed, [changed]);
        bench.close().await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn given_refusals_among_successes_when_one_batch_then_each_has_its_own_outcome() {
    for bench in Bench::each_engine(1).await {
        let store = bench.store();
        let (advertiser, id) = bench.advertiser(0, 100).await;
        let orders = (0..40).map(|_| reserve(store, advertiser, 10));
        let outcomes = futures::future::join_all(orders).await;
        let granted = outcomes.iter().filter(|outcome| outcome.is_ok()).count();
        assert_eq!(granted, 10, "{:?}", bench.database);
        let poor =
            |outcome: &&Result<_, _>| matches!(outcome, Err(Refusal::InsufficientFunds { .. }));
        assert_eq!(outcomes.iter().filter(poor).count(), 30);
        let view = store.account(id).await.unwrap().unwrap();
        assert_eq!(view.free(), Micros::ZERO);
        assert_eq!(view.position.held, Micros::new(100));
        bench.close().await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn given_a_refused_request_when_repeated_after_money_came_then_it_stays_refused() {
    for bench in Bench::each_engine(1).await {
        let store = bench.store();
        let (advertiser, id) = bench.advertiser(0, 0).await;
        let (command, request) = (
            Command::ReserveBudget(order(advertiser, 10)),
            Uuid::now_v7(),
        );
        let refused = ask(store, command.clone(), request).await.unwrap();
        assert!(matches!(refused, Err(Refusal::InsufficientFunds { .. })));
        pay(store, id, 1_000).await.unwrap();
        assert_eq!(ask(store, command, request).await.unwrap(), refused);
        let other = Command::ReserveBudget(order(advertiser, 11));
        let mismatch = ask(store, other, request).await;
        assert!(matches!(mismatch, Err(StoreError::Mismatch)));
        bench.close().await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn given_one_request_many_times_in_one_batch_then_it_is_done_once() {
    for bench in Bench::each_engine(1).await {
        let store = bench.store();
        let (advertiser, id) = bench.advertiser(0, 1_000).await;
        let (command, request) = (
            Command::ReserveBudget(order(advertiser, 10)),
            Uuid::now_v7(),
        );
        let asked = (0..20).map(|_| ask(store, command.clone(), request));
        let outcomes = futures::future::join_all(asked).await;
        let first = outcomes[0].as_ref().unwrap();
        assert!(outcomes.iter().all(|o| o.as_ref().unwrap() == first));
        let held = store.account(id).await.unwrap().unwrap().position.held;
        assert_eq!(held, Micros::new(10), "{:?}", bench.database);
        bench.close().await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn given_due_reservations_when_expired_then_they_move_on_once() {
    for bench in Bench::each_engine(1).await {
        let store = bench.store();
        let (advertiser, id) = bench.advertiser(0, 100).await;
        let held = reserve(store, advertiser, 60).await.unwrap().reservation;
        assert!(
            store
                .due_reservations(bench.clock.now(), 10)
                .await
                .unwrap()
                .is_empty()
        );
        for expected in [1, 1, 0] {
            bench.clock.advance(Duration::from_secs(60));
            let due = store.due_reservations(bench.clock.now(), 10).await.unwrap();
            let command = Command::ExpireReservations(vec![held.id]);
            let done = store.submit(Submission::internal(command)).await.unwrap();
            assert_eq!(done, Ok(Outcome::Expired(expected)));
            assert_eq!(u64::try_from(due.len()).unwrap(), expected);
        }
        let closed = store.reservation(held.id).await.unwrap().unwrap();
        assert_eq!(closed.freed, Micros::new(60));
        let everything = ReservationFilter::default();
        let listed = store
            .list_reservations(&everything, None, 10)
            .await
            .unwrap();
        assert_eq!(listed, [closed]);
        let view = store.account(id).await.unwrap().unwrap();
        assert_eq!(view.free(), Micros::new(100), "{:?}", bench.database);
        bench.close().await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn given_changes_when_the_feed_is_read_then_each_account_comes_as_it_is_now() {
    for bench in Bench::each_engine(1).await {
        let store = bench.store();
        let (_, one) = bench.advertiser(0, 10).await;
        let (_, two) = bench.advertiser(0, 20).await;
        let (views, reached) = store.changed_accounts(0, 100).await.unwrap();
        assert_eq!(views.len(), 2);
        pay(store, one, 5).await.unwrap();
        let (views, further) = store.changed_accounts(reached, 100).await.unwrap();
        assert!(further > reached);
        let ids: Vec<_> = views.iter().map(|view| view.account.id).collect();
        assert_eq!(ids, [one], "{:?}", bench.database);
        assert_eq!(views[0].free(), Micros::new(15));
        assert!(store.account(two).await.unwrap().is_some());
        bench.close().await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn given_limits_and_closings_when_refused_then_nothing_is_written() {
    for bench in Bench::each_engine(1).await {
        let store = bench.store();
        let (_, id) = bench.advertiser(500, 100).await;
        let before = account(store, id).await;
        let refusals = [
            Command::CloseAccount(CloseAccount {
                account: id,
                etag: before.etag(),
            }),
            Command::UpdateCreditTerms(UpdateCreditTerms {
                account: id,
                etag: "v0".to_owned(),
                credit_limit: Some(Micros::new(1)),
                net_days: None,
            }),
            Command::RecordPayment(payment(AccountId::generate(), 1)),
            Command::ReserveBudget(order(AdvertiserId::generate(), 1)),
        ];
        for command in refusals {
            assert!(ask(store, command, Uuid::now_v7()).await.unwrap().is_err());
        }
        assert_eq!(account(store, id).await, before, "{:?}", bench.database);
        let everything = TransferFilter::default();
        let transfers = store.list_transfers(&everything, 0, 10).await.unwrap();
        assert_eq!(transfers.len(), 1);
        bench.close().await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn given_a_counter_that_was_tampered_with_when_verified_then_it_is_named() {
    use sea_orm::ConnectionTrait;
    for bench in Bench::each_engine(1).await {
        let (_, id) = bench.advertiser(0, 100).await;
        let (summary, findings) = bench.verify().await;
        assert_eq!((summary.transfers, findings.len()), (1, 0), "{findings:?}");
        bench
            .database
            .db()
            .transaction("tamper", |txn| async move {
                let sql = "UPDATE ledger_accounts SET credits_posted = 101 WHERE code = 2";
                txn.execute_unprepared(sql).await?;
                Ok::<_, StoreError>(())
            })
            .await
            .unwrap();
        let (_, findings) = bench.verify().await;
        let view = account(bench.store(), id).await;
        let balance = view.ledger(billing_domain::chart::Code::AdvertiserBalance);
        let found = findings
            .iter()
            .find(|f| f.subject == balance.id().to_string());
        let found = found.unwrap();
        assert_eq!(
            (found.field, found.expected.as_str()),
            ("credits_posted", "0.000100")
        );
        assert!(findings.len() > 1, "and the currency no longer balances");
        bench.close().await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn given_a_closed_store_when_asked_then_it_says_so() {
    for bench in Bench::each_engine(1).await {
        let store = bench.store().clone();
        bench.close().await;
        let command = Command::OpenAccount(opening(AdvertiserId::generate(), 0));
        let answer = ask(&store, command, Uuid::now_v7()).await;
        assert!(matches!(answer, Err(StoreError::Closed)));
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn given_an_opening_that_is_refused_then_it_leaves_no_ledger_accounts() {
    use sea_orm::ConnectionTrait;
    for bench in Bench::each_engine(1).await {
        let advertiser = AdvertiserId::generate();
        let command = Command::OpenAccount(OpenAccount {
            mode: Mode::Prepaid,
            ..opening(advertiser, 5)
        });
        let refused = ask(bench.store(), command, Uuid::now_v7()).await.unwrap();
        assert!(matches!(refused, Err(Refusal::CreditNotAllowed { .. })));
        let select = sea_orm::sea_query::Query::select()
            .column("id")
            .from("ledger_accounts")
            .to_owned();
        let left = bench.database.db().reader().query_all(&select).await;
        assert_eq!(left.unwrap().len(), 0, "{:?}", bench.database);
        // Opened after all, it has them.
        let (_, account) = bench.advertiser(5, 0).await;
        let of = billing_store::BalancesOf::Account(account);
        let balances = bench.store().balances(of).await.unwrap().unwrap();
        assert_eq!(balances.rows.len(), 3, "{:?}", bench.database);
        bench.close().await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn given_more_keys_than_a_statement_binds_when_submitted_then_they_are_looked_up() {
    for bench in Bench::each_engine(1).await {
        let (advertiser, _) = bench.advertiser(0, 100).await;
        let held = reserve(bench.store(), advertiser, 60).await.unwrap();
        let mut due: Vec<_> = (1..KEYS).map(|_| ReservationId::generate()).collect();
        due.push(held.reservation.id);
        bench.clock.advance(Duration::from_secs(120));
        let command = Submission::internal(Command::ExpireReservations(due));
        let done = bench.store().submit(command).await.unwrap();
        assert_eq!(done, Ok(Outcome::Expired(1)), "{:?}", bench.database);
        bench.close().await;
    }
}
