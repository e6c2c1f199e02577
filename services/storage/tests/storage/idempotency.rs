//! A request is done once, whoever repeats it and when.

use cleave_kernel::Timestamp;
use cleave_storage::idempotency::{self, Fingerprint, Lookup, Remembered, RequestKey, Requests};
use cleave_storage::{Database, StorageError};
use std::sync::Mutex;
use uuid::Uuid;

use crate::{create_counter, lock_counter, migrated, read_counter, set_counter};

fn key(id: u128, message: &str) -> RequestKey {
    RequestKey {
        id: Uuid::from_u128(id),
        fingerprint: Fingerprint::of("Increment", message.as_bytes()),
    }
}

async fn remember(db: &Database, outcomes: &[Remembered]) -> Result<(), StorageError> {
    db.transaction("remember", |txn| async move {
        idempotency::remember(&txn, Timestamp::EPOCH, outcomes).await
    })
    .await
}

#[tokio::test]
async fn given_remembered_outcomes_when_looked_up_then_they_are_new_replayed_or_mismatched() {
    for test in migrated().await {
        // More than one statement may hold on any engine.
        let outcomes: Vec<Remembered> = (0..2500_u128)
            .map(|id| Remembered {
                key: key(id, "m"),
                method: "Increment",
                outcome: id.to_be_bytes().to_vec(),
            })
            .collect();
        remember(test.db(), &outcomes).await.expect("remembered");
        let keys: Vec<_> = (0..2500).map(|id| key(id, "m")).collect();
        let found = idempotency::lookup(test.db().reader(), &keys)
            .await
            .expect("a look");
        for (id, found) in (0..2500_u128).zip(found) {
            assert_eq!(found, Lookup::Replay(id.to_be_bytes().to_vec()), "{test:?}");
        }
        let keys = [key(9999, "m"), key(7, "other"), key(7, "m")];
        let found = idempotency::lookup(test.db().reader(), &keys)
            .await
            .expect("a look");
        let seven = Lookup::Replay(7_u128.to_be_bytes().to_vec());
        assert_eq!(found, [Lookup::New, Lookup::Mismatch, seven], "{test:?}");
        let none = idempotency::lookup(test.db().reader(), &[])
            .await
            .expect("a look");
        assert!(none.is_empty());
    }
}

#[tokio::test]
async fn given_a_large_outcome_when_remembered_then_it_comes_back_whole() {
    for test in migrated().await {
        let outcome = vec![0xa5; 200_000];
        let kept = Remembered {
            key: key(1, "m"),
            method: "Increment",
            outcome: outcome.clone(),
        };
        remember(test.db(), &[kept]).await.expect("remembered");
        let found = idempotency::lookup(test.db().reader(), &[key(1, "m")]).await;
        assert_eq!(
            found.expect("a look"),
            [Lookup::Replay(outcome)],
            "{test:?}"
        );
    }
}

#[tokio::test]
async fn given_a_request_twice_in_a_batch_when_decided_then_the_second_is_a_replay() {
    for test in migrated().await {
        let again = test
            .db()
            .transaction("batch", |txn| async move {
                let mut requests = Requests::load(&txn, &[key(1, "m"), key(1, "m")]).await?;
                assert_eq!(requests.lookup(&key(1, "m")), Lookup::New);
                requests.decide(key(1, "m"), "Increment", b"refused".to_vec());
                let again = requests.lookup(&key(1, "m"));
                assert_eq!(requests.lookup(&key(1, "x")), Lookup::Mismatch);
                requests.store(&txn, Timestamp::EPOCH).await?;
                Ok::<_, StorageError>(again)
            })
            .await
            .expect("a batch");
        assert_eq!(again, Lookup::Replay(b"refused".to_vec()), "{test:?}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn given_the_same_request_on_two_replicas_at_once_when_it_runs_then_it_has_one_effect() {
    for test in migrated().await {
        create_counter(test.db()).await;
        let replicas = [test.db().clone(), test.replica().await];
        for id in 0..20 {
            let twins = replicas
                .clone()
                .map(|db| tokio::spawn(async move { increment_once(&db, id).await }));
            for twin in twins {
                let outcome = twin.await.expect("a twin finishes").expect("an outcome");
                assert_eq!(outcome, id.to_be_bytes(), "{test:?}");
            }
        }
        assert_eq!(read_counter(test.db().reader()).await, 20, "{test:?}");
    }
}

/// Increments without a lock around the look-up, so that only the key keeps twins apart.
async fn increment_once(db: &Database, id: u128) -> Result<Vec<u8>, StorageError> {
    let key = key(id, "m");
    db.transaction("increment once", |txn| async move {
        let mut requests = Requests::load(&txn, &[key]).await?;
        if let Lookup::Replay(outcome) = requests.lookup(&key) {
            return Ok(outcome);
        }
        let value = lock_counter(&txn).await?;
        set_counter(&txn, value + 1).await?;
        requests.decide(key, "Increment", id.to_be_bytes().to_vec());
        requests.store(&txn, Timestamp::EPOCH).await?;
        Ok(id.to_be_bytes().to_vec())
    })
    .await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn given_the_same_requests_in_opposite_orders_when_two_replicas_keep_them_then_no_circle_forms()
 {
    for test in migrated().await {
        let replicas = [test.db().clone(), test.replica().await];
        for round in 0..10_u128 {
            let mut outcomes: Vec<_> = (0..200)
                .map(|id| Remembered {
                    key: key(round * 1000 + id, "m"),
                    method: "Increment",
                    outcome: Vec::new(),
                })
                .collect();
            let keeping = replicas.clone().map(|db| {
                let order = outcomes.clone();
                outcomes.reverse();
                tokio::spawn(async move { keep_once(&db, &order).await })
            });
            for kept in keeping {
                let deadlocks = kept.await.expect("a replica finishes");
                assert!(deadlocks.is_empty(), "{test:?}: {deadlocks:?}");
            }
        }
    }
}

/// Keeps outcomes unless a twin has; answers the deadlocks on the way.
async fn keep_once(db: &Database, outcomes: &[Remembered]) -> Vec<String> {
    let deadlocks = &Mutex::new(Vec::new());
    let kept = db.transaction("keep", |txn| async move {
        let keys: Vec<_> = outcomes.iter().map(|kept| kept.key).collect();
        let known = idempotency::lookup(&*txn, &keys).await?;
        if known.iter().any(|found| *found != Lookup::New) {
            return Ok(());
        }
        let kept = idempotency::remember(&txn, Timestamp::EPOCH, outcomes).await;
        if let Err(error) = &kept {
            let told = format!("{error:?}");
            if told.contains("eadlock") {
                deadlocks.lock().expect("no test panics here").push(told);
            }
        }
        kept
    });
    kept.await
        .expect("the second look finds what the twin kept");
    deadlocks.lock().expect("no test panics here").clone()
}
