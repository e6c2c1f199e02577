//! The transaction helper: nothing is lost under contention, an error leaves nothing behind, a broken
//! connection is survived.

use std::sync::atomic::{AtomicU32, Ordering};

use cleave_storage::testing::TestDatabase;
use cleave_storage::{Engine, StorageError};
use sea_orm::ConnectionTrait;

use crate::{create_counter, increment, lock_counter, read_counter, set_counter};

const WRITERS: i64 = 8;
const INCREMENTS: i64 = 50;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn given_writers_that_contend_when_each_increments_then_no_increment_is_lost() {
    for test in TestDatabase::each_engine().await {
        create_counter(test.db()).await;
        // Two replicas, so that on SQLite the file's own lock is contended too.
        let replicas = [test.db().clone(), test.replica().await];
        let writers = (0..WRITERS).zip(replicas.iter().cycle()).map(|(_, db)| {
            let db = db.clone();
            tokio::spawn(async move {
                for _ in 0..INCREMENTS {
                    increment(&db).await.expect("an increment succeeds");
                }
            })
        });
        for writer in writers.collect::<Vec<_>>() {
            writer.await.expect("a writer finishes");
        }
        let value = read_counter(test.db().reader()).await;
        assert_eq!(value, WRITERS * INCREMENTS, "{test:?}");
    }
}

#[tokio::test]
async fn given_two_orders_of_locks_when_transactions_deadlock_then_both_succeed() {
    for test in TestDatabase::each_engine().await {
        test.db()
            .transaction("create", |txn| async move {
                txn.execute_unprepared("CREATE TABLE pair (id INTEGER PRIMARY KEY, value INTEGER)")
                    .await?;
                txn.execute_unprepared("INSERT INTO pair VALUES (1, 0), (2, 0)")
                    .await?;
                Ok::<_, StorageError>(())
            })
            .await
            .expect("the pair is created");
        // Each takes its first row before either takes its second, on the first try of both.
        let barrier = &tokio::sync::Barrier::new(2);
        let cross = |first: u8, second: u8| {
            let tries = AtomicU32::new(0);
            let db = test.db();
            async move {
                let tries = &tries;
                db.transaction("cross", |txn| async move {
                    let add = |id| format!("UPDATE pair SET value = value + 1 WHERE id = {id}");
                    txn.execute_unprepared(&add(first)).await?;
                    let single_writer = db.engine() == Engine::Sqlite;
                    if tries.fetch_add(1, Ordering::Relaxed) == 0 && !single_writer {
                        barrier.wait().await;
                    }
                    txn.execute_unprepared(&add(second)).await?;
                    Ok::<_, StorageError>(())
                })
                .await
            }
        };
        let (one, other) = tokio::join!(cross(1, 2), cross(2, 1));
        one.expect("the first succeeds");
        other.expect("the second succeeds");
        let row = test
            .db()
            .reader()
            .query_one_raw(sea_orm::Statement::from_string(
                test.db().reader().get_database_backend(),
                "SELECT COUNT(*) FROM pair WHERE value = 2",
            ))
            .await
            .expect("a read")
            .expect("a row");
        let full: i64 = row.try_get_by_index(0).expect("a number");
        assert_eq!(full, 2, "{test:?}");
    }
}

#[tokio::test]
async fn given_a_body_that_fails_when_it_has_written_then_nothing_is_kept() {
    for test in TestDatabase::each_engine().await {
        create_counter(test.db()).await;
        let refused = test
            .db()
            .transaction("refuse", |txn| async move {
                set_counter(&txn, 7).await?;
                Err::<(), _>(StorageError::Corrupt("refused".to_owned()))
            })
            .await;
        assert!(matches!(refused, Err(StorageError::Corrupt(_))), "{test:?}");
        assert_eq!(read_counter(test.db().reader()).await, 0, "{test:?}");
        increment(test.db()).await.expect("the next one succeeds");
    }
}

#[tokio::test]
async fn given_a_snapshot_when_another_commits_meanwhile_then_the_view_stays() {
    for test in TestDatabase::each_engine().await {
        create_counter(test.db()).await;
        let db = test.db();
        let (before, after) = db
            .snapshot("look twice", |txn| async move {
                let before = read_counter(&txn).await;
                increment(db).await?;
                Ok::<_, StorageError>((before, read_counter(&txn).await))
            })
            .await
            .expect("a snapshot");
        assert_eq!((before, after), (0, 0), "{test:?}");
        assert_eq!(read_counter(db.reader()).await, 1, "{test:?}");
    }
}

#[tokio::test]
async fn given_a_snapshot_when_it_writes_then_it_is_refused() {
    for test in TestDatabase::each_engine().await {
        create_counter(test.db()).await;
        let written = test
            .db()
            .snapshot("write", |txn| async move { set_counter(&txn, 1).await })
            .await;
        assert!(written.is_err(), "{test:?}");
    }
}

#[tokio::test]
async fn given_sessions_that_the_server_ended_when_work_goes_on_then_it_succeeds() {
    for test in TestDatabase::each_engine().await {
        let end_sessions = match test.engine() {
            Engine::Sqlite => continue,
            Engine::Postgres => {
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity \
                 WHERE datname = current_database() AND pid <> pg_backend_pid()"
            }
            Engine::MySql => {
                "BEGIN NOT ATOMIC FOR s IN (SELECT id FROM information_schema.processlist \
                 WHERE db = DATABASE() AND id <> CONNECTION_ID()) DO KILL s.id; END FOR; END"
            }
        };
        let operator = test.replica().await;
        create_counter(test.db()).await;
        // Fill the pool, so that there are several dead connections to get past.
        let busy = (0..4).map(|_| increment(test.db()));
        futures::future::try_join_all(busy)
            .await
            .expect("increments");
        operator
            .reader()
            .execute_unprepared(end_sessions)
            .await
            .expect("the operator ends the sessions");

        increment(test.db()).await.expect("a transaction goes on");
        let tries = AtomicU32::new(0);
        let (tried, operator) = (&tries, &operator);
        let value = test
            .db()
            .transaction("cut off", |txn| async move {
                let value = lock_counter(&txn).await?;
                if tried.fetch_add(1, Ordering::Relaxed) == 0 {
                    operator.reader().execute_unprepared(end_sessions).await?;
                }
                set_counter(&txn, value + 1).await?;
                Ok::<_, StorageError>(value + 1)
            })
            .await
            .expect("a transaction that was cut off runs again");
        assert_eq!((value, tries.into_inner()), (6, 2), "{test:?}");
    }
}
