//! Locks are taken in one order, whatever others do meanwhile. On PostgreSQL, where a deadlock costs a second before it is
//! found.

use crate::support::{Bench, ask, payment};
use billing_store::Command;
use cleave_storage::Engine;
use sea_orm::{
    ConnectionTrait, DatabaseConnection, DatabaseTransaction, Statement, TransactionTrait,
};
use uuid::Uuid;

/// What every batch takes last, in this order.
const LAST: [&str; 3] = [
    "SELECT id FROM ledger_accounts WHERE account_id IS NULL ORDER BY id FOR UPDATE",
    "SELECT name FROM sequences FOR UPDATE",
    "SELECT id FROM change_feed FOR UPDATE",
];

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn given_a_replica_in_its_last_statements_then_nobody_waits_in_a_circle() {
    for bench in Bench::each_engine(1).await {
        if bench.database.db().engine() != Engine::Postgres {
            bench.close().await;
            continue;
        }
        let (_, account) = bench.advertiser(0, 10).await;
        let db = bench.database.db().reader();
        let [platform, numbers, feed] = LAST;
        for (taken, next) in [(platform, numbers), (numbers, feed)] {
            // Another replica's batch, which has come that far.
            let holder = db.begin().await.unwrap();
            holder.execute_unprepared(taken).await.unwrap();
            let store = bench.store().clone();
            let command = Command::RecordPayment(payment(account, 5));
            let asked = tokio::spawn(async move { ask(&store, command, Uuid::now_v7()).await });
            blocked_by(db, &holder).await;
            // It goes on: whoever waits for it must not hold what it takes next.
            holder
                .execute_unprepared("SET LOCAL deadlock_timeout = '10ms'")
                .await
                .unwrap();
            holder.execute_unprepared(next).await.unwrap();
            holder.rollback().await.unwrap();
            assert!(asked.await.unwrap().unwrap().is_ok());
        }
        bench.close().await;
    }
}

/// Returns when somebody waits for a lock of `holder`.
pub(crate) async fn blocked_by(db: &DatabaseConnection, holder: &DatabaseTransaction) {
    let ask = |sql: String| Statement::from_string(db.get_database_backend(), sql);
    let pid = holder
        .query_one_raw(ask("SELECT pg_backend_pid()".to_owned()))
        .await;
    let pid: i32 = pid.unwrap().unwrap().try_get_by_index(0).unwrap();
    let waiting =
        format!("SELECT pid FROM pg_stat_activity WHERE {pid} = ANY(pg_blocking_pids(pid))");
    while db
        .query_one_raw(ask(waiting.clone()))
        .await
        .unwrap()
        .is_none()
    {
        tokio::task::yield_now().await;
    }
}
