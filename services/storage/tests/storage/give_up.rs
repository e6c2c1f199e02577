//! Whoever gives up a read or a transaction ends its statement in the database, soon, and leaves a connection
//! that serves the next one.

use super::{create_counter, increment, read_counter, set_counter};
use cleave_storage::testing::TestDatabase;
use cleave_storage::{Database, DatabaseOptions, Engine, StorageError};
use sea_orm::{ConnectionTrait, Statement};
use std::future::poll_fn;
use std::pin::pin;
use std::task::Poll;
use std::time::{Duration, Instant};

/// How soon after its caller gave up a statement must have ended; the mesh promises 50 ms, a busy machine of
/// ours may need longer to look.
const SOON: Duration = Duration::from_secs(2);
/// How long the caller waits.
pub(super) const PATIENCE: Duration = Duration::from_millis(100);

/// A statement that runs for minutes if it is let.
const fn endless(engine: Engine) -> &'static str {
    match engine {
        Engine::Sqlite => {
            "WITH RECURSIVE n(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM n) SELECT COUNT(*) FROM n"
        }
        Engine::Postgres => "SELECT COUNT(*) FROM generate_series(1, 1000000000) given_up",
        Engine::MySql => {
            "SELECT COUNT(*) FROM seq_1_to_1000000 given_up, seq_1_to_1000000 given_up_too"
        }
    }
}

/// A single lane for each use: what is left on it is in the way of whoever comes next.
pub(super) fn single() -> DatabaseOptions {
    DatabaseOptions {
        connections: 1,
        sqlite_readers: 1,
        ..DatabaseOptions::default()
    }
}

async fn each_with_one_lane() -> Vec<TestDatabase> {
    let mut tests = Vec::new();
    for engine in Engine::ALL {
        tests.extend(TestDatabase::with_options(engine, &single()).await);
    }
    tests
}

/// How many statements of [`endless`] the server works on.
async fn at_work(db: &Database) -> i64 {
    let sql = match db.engine() {
        // It has no server; the lane that comes free tells.
        Engine::Sqlite => return 0,
        Engine::Postgres => {
            "SELECT COUNT(*) FROM pg_stat_activity WHERE datname = current_database() \
             AND state = 'active' AND pid <> pg_backend_pid()"
        }
        Engine::MySql => {
            "SELECT COUNT(*) FROM information_schema.processlist WHERE db = DATABASE() \
             AND command IN ('Query', 'Execute') AND id <> CONNECTION_ID()"
        }
    };
    let backend = db.reader().get_database_backend();
    let row = db
        .reader()
        .query_one_raw(Statement::from_string(backend, sql))
        .await
        .expect("the server tells what it does");
    row.expect("a count").try_get_by_index(0).expect("a number")
}

/// Waits until the server works on nothing, and answers for how long that was.
async fn idle(db: &Database) -> Duration {
    let since = Instant::now();
    while at_work(db).await > 0 {
        assert!(since.elapsed() < SOON, "still at work: {:?}", db.engine());
        tokio::time::sleep(Duration::from_millis(2)).await;
    }
    since.elapsed()
}

async fn read_endlessly(db: &Database) -> Result<(), StorageError> {
    let statement = Statement::from_string(
        db.reader().get_database_backend(),
        endless(db.engine()).to_owned(),
    );
    let statement = &statement;
    db.read("endless", |conn| async move {
        conn.query_all_raw(statement.clone()).await?;
        Ok(())
    })
    .await
}

#[tokio::test]
async fn given_an_endless_read_when_its_caller_gives_up_then_it_ends_and_the_lane_serves_the_next()
{
    for test in each_with_one_lane().await {
        let db = test.db();
        create_counter(db).await;
        for _ in 0..3 {
            tokio::time::timeout(PATIENCE, read_endlessly(db))
                .await
                .expect_err("the caller gives up");
            let ended = idle(db).await;
            let next = db.read("next", |conn| async move {
                Ok::<_, StorageError>(read_counter(conn).await)
            });
            let next = tokio::time::timeout(SOON, next).await;
            assert_eq!(next.expect("in time").expect("a read"), 0, "{test:?}");
            eprintln!("{test:?}: ended {ended:?} after its caller gave up");
        }
    }
}

#[tokio::test]
async fn given_an_endless_snapshot_when_its_caller_gives_up_then_it_ends() {
    for test in each_with_one_lane().await {
        let db = test.db();
        create_counter(db).await;
        let snapshot = db.snapshot("endless", |txn| async move {
            txn.execute_unprepared(endless(db.engine())).await?;
            Ok::<_, StorageError>(())
        });
        tokio::time::timeout(PATIENCE, snapshot)
            .await
            .expect_err("the caller gives up");
        idle(db).await;
        let next = db.snapshot("next", |txn| async move {
            Ok::<_, StorageError>(read_counter(&*txn).await)
        });
        let next = tokio::time::timeout(SOON, next).await;
        assert_eq!(next.expect("in time").expect("a read"), 0, "{test:?}");
    }
}

#[tokio::test]
async fn given_an_endless_write_when_its_caller_gives_up_then_it_leaves_nothing_behind() {
    for test in each_with_one_lane().await {
        let db = test.db();
        create_counter(db).await;
        let from = endless(db.engine()).replacen("SELECT COUNT(*)", "SELECT 7 + 0 * COUNT(*)", 1);
        let (with, select) = match from.find("SELECT 7") {
            // SQLite's tables of the moment are named before the statement that uses them.
            Some(at) => from.split_at(at),
            None => ("", from.as_str()),
        };
        let write = format!("{with}UPDATE counter SET value = ({select})");
        let write = write.as_str();
        let transaction = db.transaction("endless", |txn| async move {
            set_counter(&txn, 5).await?;
            txn.execute_unprepared(write).await?;
            Ok::<_, StorageError>(())
        });
        tokio::time::timeout(PATIENCE, transaction)
            .await
            .expect_err("the caller gives up");
        idle(db).await;
        tokio::time::timeout(SOON, increment(db))
            .await
            .expect("in time")
            .expect("the next transaction");
        assert_eq!(read_counter(db.reader()).await, 1, "{test:?}");
    }
}

#[tokio::test]
async fn given_callers_that_give_up_at_any_moment_then_no_other_one_is_cut_off() {
    for engine in Engine::ALL {
        let options = DatabaseOptions {
            connections: 3,
            sqlite_readers: 2,
            ..DatabaseOptions::default()
        };
        let Some(test) = TestDatabase::with_options(engine, &options).await else {
            continue;
        };
        let db = test.db();
        create_counter(db).await;
        let fickle = async {
            for micros in (0_u64..3_000).step_by(25) {
                let patience = Duration::from_micros(micros);
                let _ = tokio::time::timeout(patience, read_endlessly(db)).await;
                let _ = tokio::time::timeout(patience, increment(db)).await;
            }
        };
        let steady = async {
            let before = read_counter(db.reader()).await;
            for _ in 0..200 {
                increment(db).await.expect("nobody gave this one up");
            }
            assert!(read_counter(db.reader()).await >= before + 200);
        };
        tokio::join!(fickle, steady);
        idle(db).await;
    }
}

/// How many connections have begun a transaction and do nothing in it. Only PostgreSQL tells.
async fn left_open(db: &Database) -> i64 {
    if db.engine() != Engine::Postgres {
        return 0;
    }
    let sql = "SELECT COUNT(*) FROM pg_stat_activity WHERE datname = current_database() \
               AND state LIKE 'idle in transaction%'";
    let statement = Statement::from_string(db.reader().get_database_backend(), sql);
    let row = db.reader().query_one_raw(statement).await;
    let row = row.expect("the server tells").expect("a count");
    row.try_get_by_index(0).expect("a number")
}

#[tokio::test]
async fn given_callers_that_give_up_while_a_transaction_begins_then_none_is_left_open() {
    for test in each_with_one_lane().await {
        let db = test.db();
        create_counter(db).await;
        // Again and again: whether the order to end it overtakes the beginning is a matter of luck.
        for steps in (0..8).cycle().take(400) {
            let look = db.snapshot("fickle", |txn| async move {
                Ok::<_, StorageError>(read_counter(&txn).await)
            });
            give_up_after(steps, look).await;
            give_up_after(steps, increment(db)).await;

            idle(db).await;
            let read = db.read("next", |reader| async move {
                Ok::<_, StorageError>(read_counter(reader).await)
            });
            read.await.expect("the lane serves the next one");
            assert_eq!(left_open(db).await, 0, "given up after {steps} steps");
            increment(db).await.expect("the lane serves the next one");
        }
    }
}

/// Drops the work the next time it would go on after so many steps.
async fn give_up_after(steps: usize, work: impl Future) {
    let mut work = pin!(work);
    let mut left = steps;
    poll_fn(|cx| {
        if left == 0 {
            return Poll::Ready(());
        }
        left -= 1;
        work.as_mut().poll(cx).map(|_| ())
    })
    .await;
}
