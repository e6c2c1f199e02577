//! Sequences have neither gaps nor repeats.

use std::collections::BTreeSet;

use cleave_storage::{StorageError, sequence};

use crate::migrated;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn given_takers_at_once_when_some_roll_back_then_the_numbers_have_no_gap() {
    for test in migrated().await {
        let takers = (0..6_u32).map(|taker| {
            let db = test.db().clone();
            tokio::spawn(async move {
                let mut kept = Vec::new();
                for round in 0..10_u32 {
                    let fails = (taker + round) % 3 == 0;
                    let taken = db
                        .transaction("take", |txn| async move {
                            let first = sequence::allocate(&txn, "invoices", 1 + round % 2).await?;
                            if fails {
                                return Err(StorageError::Corrupt("rolled back".to_owned()));
                            }
                            Ok(first..first + i64::from(1 + round % 2))
                        })
                        .await;
                    match taken {
                        Ok(numbers) => kept.extend(numbers),
                        Err(error) => assert_eq!(error.kind(), "corrupt", "{error:?}"),
                    }
                }
                kept
            })
        });
        let mut numbers = Vec::new();
        for taker in takers.collect::<Vec<_>>() {
            numbers.extend(taker.await.expect("a taker finishes"));
        }
        let distinct: BTreeSet<i64> = numbers.iter().copied().collect();
        let last = i64::try_from(numbers.len()).expect("few");
        assert_eq!(distinct, (1..=last).collect(), "{test:?}");
    }
}

#[tokio::test]
async fn given_two_sequences_when_one_is_used_then_the_other_stays() {
    for test in migrated().await {
        let firsts = test
            .db()
            .transaction("take", |txn| async move {
                Ok::<_, StorageError>([
                    sequence::allocate(&txn, "a", 5).await?,
                    sequence::allocate(&txn, "a", 1).await?,
                    sequence::allocate(&txn, "b", 1).await?,
                ])
            })
            .await
            .expect("numbers");
        assert_eq!(firsts, [1, 6, 1], "{test:?}");
        let mut lasts = Vec::new();
        for name in ["a", "b", "c"] {
            let last = sequence::last(test.db().reader(), name).await;
            lasts.push(last.expect("a number"));
        }
        assert_eq!(lasts, [6, 1, 0], "{test:?}");
    }
}
