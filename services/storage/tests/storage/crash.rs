//! A commit that was answered outlives the process that made it. Only SQLite lives in our process.

use std::process::Stdio;

use cleave_storage::testing::TestDatabase;
use cleave_storage::{Database, DatabaseOptions, Engine};
use sea_orm::{ConnectionTrait, Statement};
use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::process::Command;

use crate::{create_counter, increment, read_counter};

/// Set for the process that is going to be killed: the database that it writes to.
const URL: &str = "CLEAVE_TEST_CRASH_URL";
const SAYS: &str = "committed ";

#[tokio::test]
async fn given_a_writer_that_is_killed_when_reopened_then_no_answered_commit_is_lost() {
    let test = TestDatabase::on(Engine::Sqlite).await.expect("SQLite");
    create_counter(test.db()).await;
    test.db().close().await.expect("closes");
    for round in 1..=5 {
        let answered = run_and_kill(test.url(), 7 * round).await;
        let reopened = test.replica().await;
        let kept = read_counter(reopened.reader()).await;
        // The last commit may have been killed between being kept and being answered.
        assert!(
            kept == answered || kept == answered + 1,
            "{answered} answered, {kept} kept"
        );
        let check = Statement::from_string(
            reopened.reader().get_database_backend(),
            "PRAGMA integrity_check",
        );
        let row = reopened.reader().query_one_raw(check).await;
        let verdict: String = row
            .expect("a check")
            .expect("a verdict")
            .try_get_by_index(0)
            .expect("text");
        assert_eq!(verdict, "ok");
        reopened.close().await.expect("closes");
    }
}

/// Runs the writer until it has answered `commits` more, kills it, and answers the last value it answered.
async fn run_and_kill(url: &str, commits: usize) -> i64 {
    let mut writer = Command::new(std::env::current_exe().expect("this program"))
        .args(["--exact", "crash::writer_to_be_killed", "--nocapture"])
        .env(URL, url)
        .stdout(Stdio::piped())
        .kill_on_drop(true)
        .spawn()
        .expect("the writer starts");
    let mut lines = BufReader::new(writer.stdout.take().expect("piped")).lines();
    let mut answered = Vec::new();
    while let Some(line) = lines.next_line().await.expect("the writer talks") {
        if let Some((_, value)) = line.split_once(SAYS) {
            answered.push(value.parse().expect("a number"));
        }
        if answered.len() == commits {
            writer.start_kill().expect("the writer can be killed");
        }
    }
    writer.wait().await.expect("the writer is gone");
    *answered.last().expect("the writer committed")
}

/// Not a test of its own: does nothing unless it is told where to write.
#[tokio::test]
async fn writer_to_be_killed() {
    let Ok(url) = std::env::var(URL) else { return };
    let db = Database::connect(&url, &DatabaseOptions::default())
        .await
        .expect("the database opens");
    let mut value = read_counter(db.reader()).await;
    loop {
        increment(&db).await.expect("an increment");
        value += 1;
        println!("{SAYS}{value}");
    }
}
