//! The moment of a batch is the one in which it has its locks, however long it waited for them.

use crate::support::{Bench, ask, payment};
use billing_domain::Outcome;
use billing_store::{Command, Store, StoreOptions};
use cleave_kernel::{Clock, ManualClock, Timestamp};
use cleave_storage::{Engine, FeedSignal};
use sea_orm::sea_query::{Expr, ExprTrait, Query};
use sea_orm::{ConnectionTrait, TransactionTrait};
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::watch;
use uuid::Uuid;

/// A clock that tells when it is read.
#[derive(Debug)]
struct Overheard {
    clock: Arc<ManualClock>,
    reads: watch::Sender<u64>,
}

impl Clock for Overheard {
    fn now(&self) -> Timestamp {
        let now = self.clock.now();
        self.reads.send_modify(|reads| *reads += 1);
        now
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn given_a_batch_that_waited_for_its_locks_then_it_is_booked_when_it_got_them() {
    for bench in Bench::each_engine(1).await {
        // There a batch waits before it begins.
        if bench.database.db().engine() == Engine::Sqlite {
            bench.close().await;
            continue;
        }
        let (_, account) = bench.advertiser(0, 10).await;
        let clock = Arc::new(Overheard {
            clock: bench.clock.clone(),
            reads: watch::Sender::new(0),
        });
        let mut reads = clock.reads.subscribe();
        let options = StoreOptions {
            clock,
            zone: bench.store().zone().clone(),
            corrections: Duration::ZERO,
            poll: FeedSignal::POLL,
        };
        let store = Store::open(bench.database.replica().await, options);
        let holder = bench.database.db().reader().begin().await.unwrap();
        let lock = Query::select()
            .column("id")
            .from("accounts")
            .and_where(Expr::col("id").eq(account.uuid()))
            .lock_exclusive()
            .to_owned();
        holder.query_one(&lock).await.unwrap();
        let command = Command::RecordPayment(payment(account, 5));
        let (asked, through) = (store.clone(), command);
        let asked = tokio::spawn(async move { ask(&asked, through, Uuid::now_v7()).await });
        reads.wait_for(|reads| *reads > 0).await.unwrap();
        bench.clock.advance(Duration::from_secs(60));
        holder.rollback().await.unwrap();
        match asked.await.unwrap().unwrap() {
            Ok(Outcome::Recorded(recorded)) => {
                assert_eq!(recorded.payment.created_at, bench.clock.now());
            }
            other => panic!("{other:?}"),
        }
        store.close().await.unwrap();
        bench.close().await;
    }
}
