//! Locks are taken in one order, whatever others do meanwhile. On PostgreSQL, where a deadlock costs a second before it is
//! found.

use crate::support::{Bench, ask, inr, opening};
use billing_domain::account::{Account, OpsRef};
use billing_domain::chart::{Code, LedgerKey};
use billing_store::Command;
use cleave_kernel::AdvertiserId;
use cleave_storage::Engine;
use sea_orm::{
    ConnectionTrait, DatabaseConnection, DatabaseTransaction, Statement, TransactionTrait,
};
use uuid::Uuid;

const PLATFORM: &str =
    "SELECT id FROM ledger_accounts WHERE account_id IS NULL ORDER BY id FOR UPDATE";

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn given_an_account_that_another_replica_opens_meanwhile_then_nobody_waits_in_a_circle() {
    for bench in Bench::each_engine(1).await {
        if bench.database.db().engine() != Engine::Postgres {
            bench.close().await;
            continue;
        }
        let (model, _) = bench.advertiser(0, 0).await;
        let db = bench.database.db().reader();
        // Another replica's batch, which holds what belongs to the platform.
        let holder = db.begin().await.unwrap();
        holder.execute_unprepared(PLATFORM).await.unwrap();
        let advertiser = sorted_before_the_platform();
        let (store, command) = (
            bench.store().clone(),
            Command::OpenAccount(opening(advertiser, 0)),
        );
        let asked = tokio::spawn(async move { ask(&store, command, Uuid::now_v7()).await });
        blocked_by(db, &holder).await;
        // That batch opens the account, and the next one on it begins before ours goes on.
        copy_account(db, model, advertiser).await;
        let next = db.begin().await.unwrap();
        let own = lowest(advertiser).to_string();
        let lock = format!("SELECT id FROM ledger_accounts WHERE id = '{own}' FOR UPDATE");
        next.execute_unprepared(&lock).await.unwrap();
        holder.rollback().await.unwrap();
        blocked_by(db, &next).await;
        next.execute_unprepared("SET LOCAL deadlock_timeout = '10ms'")
            .await
            .unwrap();
        next.execute_unprepared(PLATFORM).await.unwrap();
        next.rollback().await.unwrap();
        assert!(asked.await.unwrap().unwrap().is_ok());
        bench.close().await;
    }
}

/// The first that is locked of an advertiser's ledger accounts.
fn lowest(advertiser: AdvertiserId) -> Uuid {
    let account = Account::id_of(OpsRef::Advertiser(advertiser));
    let own = Code::OF_ADVERTISER.iter();
    let own = own.map(|code| {
        LedgerKey::account(account, inr(0).currency, *code)
            .id()
            .uuid()
    });
    own.min().unwrap()
}

/// An advertiser of whose ledger accounts one is locked before those of the platform.
fn sorted_before_the_platform() -> AdvertiserId {
    let platform = Code::OF_PLATFORM.iter();
    let platform = platform.map(|code| LedgerKey::platform(inr(0).currency, *code).id().uuid());
    let first = platform.min().unwrap();
    let mut advertisers = std::iter::repeat_with(AdvertiserId::generate);
    advertisers
        .find(|advertiser| lowest(*advertiser) < first)
        .unwrap()
}

/// Commits an account like that of `model`.
async fn copy_account(db: &DatabaseConnection, model: AdvertiserId, advertiser: AdvertiserId) {
    let id = |advertiser| Account::id_of(OpsRef::Advertiser(advertiser)).uuid();
    let (from, to) = (id(model), id(advertiser));
    let ops_id = advertiser.uuid();
    let txn = db.begin().await.unwrap();
    let account = format!(
        "INSERT INTO accounts SELECT (jsonb_populate_record(a, \
         jsonb_build_object('id', '{to}', 'ops_id', '{ops_id}'))).* FROM accounts a WHERE id = '{from}'"
    );
    txn.execute_unprepared(&account).await.unwrap();
    for code in Code::OF_ADVERTISER {
        let key = LedgerKey::account(
            cleave_kernel::AccountId::from_uuid(to),
            inr(0).currency,
            *code,
        );
        let (ledger, number) = (key.id().uuid(), code.number());
        let row = format!(
            "INSERT INTO ledger_accounts VALUES ('{ledger}', '{to}', {number}, 'INR', 0, 0, 0, 0)"
        );
        txn.execute_unprepared(&row).await.unwrap();
    }
    txn.commit().await.unwrap();
}

/// Returns when somebody waits for a lock of `holder`.
async fn blocked_by(db: &DatabaseConnection, holder: &DatabaseTransaction) {
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
