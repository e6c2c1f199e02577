//! What belongs to the platform is locked for the last moments of a batch alone, so that replicas do not take turns.

use crate::lock_order::blocked_by;
use crate::support::{Bench, ask, order, payment};
use billing_domain::Outcome;
use billing_store::Command;
use cleave_kernel::{Micros, Timestamp};
use cleave_storage::Engine;
use cleave_storage::idempotency::{self, Fingerprint, Remembered, RequestKey};
use sea_orm::TransactionTrait;
use std::time::Duration;
use uuid::Uuid;

/// Longer than a batch takes on the slowest machine.
const PATIENCE: Duration = Duration::from_secs(30);

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn given_a_batch_that_is_held_up_when_another_replica_books_then_it_does_not_wait() {
    for bench in Bench::each_engine(2).await {
        // On SQLite writers take turns as it is, and only PostgreSQL tells at once who waits for whom.
        if bench.database.db().engine() != Engine::Postgres {
            bench.close().await;
            continue;
        }
        let (_, slow) = bench.advertiser(0, 10).await;
        let (advertiser, quick) = bench.advertiser(0, 10).await;
        // The batch of the first replica stands before the last of its own rows, with all its locks.
        let request = Uuid::now_v7();
        let holder = bench.database.db().reader().begin().await.unwrap();
        let taken = Remembered {
            key: RequestKey {
                id: request,
                fingerprint: Fingerprint::of("Other", b""),
            },
            method: "Other",
            outcome: Vec::new(),
        };
        idempotency::remember(&holder, Timestamp::EPOCH, &[taken])
            .await
            .unwrap();
        let (store, command) = (
            bench.stores[0].clone(),
            Command::RecordPayment(payment(slow, 5)),
        );
        let asked = tokio::spawn(async move { ask(&store, command, request).await });
        blocked_by(bench.database.db().reader(), &holder).await;

        let other = &bench.stores[1];
        let booked = async {
            for command in [
                Command::RecordPayment(payment(quick, 7)),
                Command::ReserveBudget(order(advertiser, 12)),
            ] {
                let decision = ask(other, command, Uuid::now_v7()).await.unwrap();
                assert!(decision.is_ok(), "{decision:?}");
            }
        };
        let booked = tokio::time::timeout(PATIENCE, booked).await;
        assert!(
            booked.is_ok(),
            "{:?}: the platform stays locked",
            bench.database
        );
        holder.rollback().await.unwrap();
        match asked.await.unwrap().unwrap() {
            Ok(Outcome::Recorded(recorded)) => assert_eq!(recorded.available, Micros::new(15)),
            decision => panic!("{decision:?}"),
        }
        let (_, findings) = bench.verify().await;
        assert!(findings.is_empty(), "{findings:?}");
        bench.close().await;
    }
}
