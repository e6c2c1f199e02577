//! Each engine's errors come out as the same few kinds.

use std::time::Duration;

use cleave_storage::testing::TestDatabase;
use cleave_storage::{Database, DatabaseOptions, Engine, StorageError};
use sea_orm::ConnectionTrait;

use crate::{create_counter, lock_counter};

async fn run(db: &Database, sql: &str) -> Result<(), StorageError> {
    db.transaction("run", |txn| async move {
        txn.execute_unprepared(sql).await?;
        Ok(())
    })
    .await
}

#[tokio::test]
async fn given_broken_constraints_when_written_then_they_are_told_apart() {
    for test in TestDatabase::each_engine().await {
        let db = test.db();
        for sql in [
            "CREATE TABLE parent (id INTEGER PRIMARY KEY, name VARCHAR(20) UNIQUE)",
            "CREATE TABLE child (id INTEGER PRIMARY KEY, parent INTEGER NOT NULL, \
             FOREIGN KEY (parent) REFERENCES parent (id) ON DELETE RESTRICT)",
            "INSERT INTO parent VALUES (1, 'a')",
            "INSERT INTO child VALUES (1, 1)",
        ] {
            run(db, sql).await.expect("a valid statement");
        }
        let kind = async |sql| run(db, sql).await.expect_err("a refusal").kind();
        let cases = [
            ("INSERT INTO parent VALUES (1, 'b')", "unique"),
            ("INSERT INTO parent VALUES (2, 'a')", "unique"),
            ("INSERT INTO child VALUES (2, 9)", "reference"),
            ("DELETE FROM parent WHERE id = 1", "reference"),
            ("INSERT INTO nowhere VALUES (1)", "internal"),
        ];
        for (sql, expected) in cases {
            assert_eq!(kind(sql).await, expected, "{test:?}: {sql}");
        }
        // Text is compared byte by byte: none of these is 'a'.
        for (id, name) in [(3, "A"), (4, "a "), (5, "á")] {
            run(db, &format!("INSERT INTO parent VALUES ({id}, '{name}')"))
                .await
                .expect("another name");
        }
    }
}

#[tokio::test]
async fn given_a_lock_that_is_held_when_the_wait_ends_then_it_is_contention() {
    for engine in Engine::ALL {
        let options = DatabaseOptions {
            lock_timeout: Duration::from_millis(50),
            ..DatabaseOptions::default()
        };
        let Some(test) = TestDatabase::with_options(engine, &options).await else {
            continue;
        };
        create_counter(test.db()).await;
        let holder = test.replica().await;
        let (test, contended) = (&test, &async || {
            let waiting = test
                .db()
                // An error of the body's own type that hides its cause is not retried.
                .transaction("wait", |txn| async move {
                    lock_counter(&txn).await.map_err(Hidden)
                })
                .await;
            matches!(waiting, Err(Hidden(StorageError::Contention { .. })))
        });
        holder
            .transaction("hold", |txn| async move {
                lock_counter(&txn).await?;
                assert!(contended().await, "{test:?}");
                Ok::<_, StorageError>(())
            })
            .await
            .expect("the holder is not disturbed");
    }
}

struct Hidden(StorageError);

impl From<StorageError> for Hidden {
    fn from(error: StorageError) -> Self {
        Self(error)
    }
}

impl cleave_storage::Retryable for Hidden {
    fn storage_error(&self) -> Option<&StorageError> {
        None
    }
}

#[tokio::test]
async fn given_a_statement_timeout_when_a_statement_is_slow_then_it_is_timed_out() {
    for (engine, slow) in [
        (Engine::Postgres, "SELECT pg_sleep(30)"),
        (
            Engine::MySql,
            "SELECT COUNT(*) FROM seq_1_to_100000 a, seq_1_to_100000 b",
        ),
    ] {
        let options = DatabaseOptions {
            statement_timeout: Some(Duration::from_millis(100)),
            ..DatabaseOptions::default()
        };
        let Some(test) = TestDatabase::with_options(engine, &options).await else {
            continue;
        };
        let timed_out = run(test.db(), slow).await.expect_err("too slow");
        assert_eq!(timed_out.kind(), "timed_out", "{test:?}: {timed_out:?}");
    }
}

#[tokio::test]
async fn given_nobody_at_the_address_when_connecting_then_it_is_unavailable() {
    let options = DatabaseOptions {
        acquire_timeout: Duration::from_millis(200),
        ..DatabaseOptions::default()
    };
    // Port 1 is reserved and served by nobody.
    for url in ["postgres://u@127.0.0.1:1/x", "mysql://u@127.0.0.1:1/x"] {
        let error = Database::connect(url, &options).await.expect_err("nobody");
        assert_eq!(error.kind(), "unavailable", "{url}: {error:?}");
    }
}

#[tokio::test]
async fn given_an_address_that_cannot_be_when_connecting_then_it_is_unsuitable() {
    for url in ["oracle://x", "", "sqlite::memory:"] {
        let error = Database::connect(url, &DatabaseOptions::default())
            .await
            .expect_err("unsuitable");
        assert_eq!(error.kind(), "unsuitable", "{url}: {error:?}");
    }
}

#[tokio::test]
async fn given_a_loose_collation_when_connecting_then_the_mend_is_named() {
    let Some(test) = TestDatabase::on(Engine::MySql).await else {
        return;
    };
    run(
        test.db(),
        "ALTER DATABASE CHARACTER SET latin1 COLLATE latin1_swedish_ci",
    )
    .await
    .expect("an operator's mistake");
    let error = Database::connect(test.url(), &DatabaseOptions::default())
        .await
        .expect_err("a loose collation");
    let text = error.to_string();
    assert!(text.contains("latin1_swedish_ci"), "{text}");
    let mend = text.split("run: ").nth(1).expect("the mend is named");
    run(test.db(), mend).await.expect("the mend works");
    let other_name = test.url().replacen("mysql:", "mariadb:", 1);
    let mended = Database::connect(&other_name, &DatabaseOptions::default()).await;
    mended.expect("a fitting collation");
}

#[tokio::test]
async fn given_a_closed_database_when_used_then_it_is_unavailable() {
    for test in TestDatabase::each_engine().await {
        test.db().ping().await.expect("alive");
        test.db().close().await.expect("closes");
        let error = test.db().ping().await.expect_err("closed");
        assert_eq!(error.kind(), "unavailable", "{test:?}");
        let error = run(test.db(), "SELECT 1").await.expect_err("closed");
        assert_eq!(error.kind(), "unavailable", "{test:?}");
    }
}
