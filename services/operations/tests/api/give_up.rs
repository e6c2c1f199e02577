//! A caller that gives up leaves no work behind: not in the service, and not in its database.

use std::time::{Duration, Instant};

use cleave_mesh::Deadline;
use cleave_mesh::context::{self, CallContext};
use cleave_storage::testing::TestDatabase;
use cleave_storage::{Database, Engine, StorageError};
use operations_client::pb;
use sea_orm::{ConnectionTrait, Statement};
use tokio::sync::oneshot;

use crate::make::advertiser;
use crate::server::{Server, request_id};

/// Within this a statement must have ended: the mesh promises 50 ms, a busy machine needs longer to look.
const SOON: Duration = Duration::from_millis(500);

/// How many statements wait for the row of an advertiser.
async fn waiting(db: &Database) -> i64 {
    let sql = match db.engine() {
        Engine::Postgres => {
            "SELECT COUNT(*) FROM pg_stat_activity WHERE datname = current_database() \
             AND wait_event_type = 'Lock' AND query LIKE '%advertisers%'"
        }
        Engine::MySql | Engine::Sqlite => {
            "SELECT COUNT(*) FROM information_schema.processlist WHERE db = DATABASE() \
             AND id <> CONNECTION_ID() AND info LIKE '%advertisers%' AND info LIKE '%FOR UPDATE%'"
        }
    };
    let statement = Statement::from_string(db.reader().get_database_backend(), sql);
    let row = db.reader().query_one_raw(statement).await;
    let row = row.expect("the server tells").expect("a count");
    row.try_get_by_index(0).expect("a number")
}

/// Waits until so many wait; how long that took.
async fn until_waiting(db: &Database, count: i64, patience: Duration) -> Duration {
    let since = Instant::now();
    while waiting(db).await != count {
        assert!(since.elapsed() < patience, "{:?}: not {count}", db.engine());
        tokio::time::sleep(Duration::from_millis(2)).await;
    }
    since.elapsed()
}

/// Holds the rows of all advertisers until it is told.
async fn hold(db: &Database, held: oneshot::Sender<()>, release: oneshot::Receiver<()>) {
    let hands = std::sync::Mutex::new(Some((held, release)));
    let hands = &hands;
    let held = db.transaction("hold", |txn| async move {
        txn.execute_unprepared("SELECT id FROM advertisers FOR UPDATE")
            .await?;
        let hands = hands.lock().expect("a lock").take();
        let (held, release) = hands.expect("nothing is in the way");
        held.send(()).expect("somebody waits");
        let _ = release.await;
        Ok::<_, StorageError>(())
    });
    held.await.expect("the rows are held");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn given_a_call_that_waits_for_a_lock_when_its_caller_gives_up_then_its_statement_ends() {
    for engine in [Engine::Postgres, Engine::MySql] {
        let Some(database) = TestDatabase::on(engine).await else {
            continue;
        };
        let holder = database.replica().await;
        let server = Server::over(database, None).await;
        let db = server.database.db();
        let subject = advertiser(&server).await;
        let (held, is_held) = oneshot::channel();
        let (release, released) = oneshot::channel();
        let holding = tokio::spawn(async move { hold(&holder, held, released).await });
        is_held.await.expect("held");
        let ask = || {
            let (client, subject) = (server.client.clone(), subject.clone());
            async move {
                let request = pb::SuspendAdvertiserRequest {
                    request_id: request_id(),
                    id: subject.id,
                    etag: subject.etag,
                };
                client.suspend_advertiser(request).await
            }
        };

        // One goes away, and is noticed by its silence.
        let gone = tokio::spawn(ask());
        until_waiting(db, 1, Duration::from_secs(20)).await;
        gone.abort();
        let ended = until_waiting(db, 0, SOON).await;
        eprintln!("{engine}: ended {ended:?} after its caller was gone");

        // The other one said beforehand how long it waits.
        let deadline = Deadline::after(Duration::from_millis(700));
        let call = CallContext {
            deadline: Some(deadline),
            ..CallContext::root()
        };
        let late = tokio::spawn(context::scope(call, ask()));
        until_waiting(db, 1, Duration::from_secs(20)).await;
        tokio::time::sleep_until(deadline.at()).await;
        let ended = until_waiting(db, 0, SOON).await;
        eprintln!("{engine}: ended {ended:?} after its deadline");
        late.await.expect("an answer").expect_err("too late");

        release.send(()).expect("the rows are held");
        holding.await.expect("released");
        let now = ask()
            .await
            .expect_err("it has no Billing, so it is not active");
        assert_eq!(now.reason.as_deref(), Some("STATE_NOT_ALLOWED"), "{now:?}");
    }
}
