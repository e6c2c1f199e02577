//! The mechanisms of this crate on real engines: SQLite always, PostgreSQL and MariaDB when they are provided
//! (see `cleave_storage::testing`).

mod black_hole;
mod bulk;
mod crash;
mod errors;
mod feed;
mod gather;
mod give_up;
mod idempotency;
mod migrate;
mod sequence;
mod token;
mod transaction;
mod values;

use cleave_storage::testing::TestDatabase;
use cleave_storage::{Database, StorageError, migrate as migrating, migrations};
use sea_orm::sea_query::{ColumnDef, Expr, ExprTrait, Query, Table};
use sea_orm::{ConnectionTrait, DatabaseTransaction};

/// A database on each engine with this crate's tables.
async fn migrated() -> Vec<TestDatabase> {
    let databases = TestDatabase::each_engine().await;
    for test in &databases {
        migrating::run(test.db(), &migrations())
            .await
            .expect("an empty database can be migrated");
    }
    databases
}

/// A table of one counter, at 0.
async fn create_counter(db: &Database) {
    let table = Table::create()
        .table("counter")
        .col(ColumnDef::new("id").integer().not_null().primary_key())
        .col(ColumnDef::new("value").big_integer().not_null())
        .to_owned();
    let insert = Query::insert()
        .into_table("counter")
        .columns(["id", "value"])
        .values_panic([1.into(), 0_i64.into()])
        .to_owned();
    let (table, insert) = (&table, &insert);
    db.transaction("create", |txn| async move {
        txn.execute(table).await?;
        txn.execute(insert).await?;
        Ok::<_, StorageError>(())
    })
    .await
    .expect("the counter is created");
}

async fn lock_counter(txn: &DatabaseTransaction) -> Result<i64, StorageError> {
    let select = Query::select()
        .column("value")
        .from("counter")
        .and_where(Expr::col("id").eq(1))
        .lock_exclusive()
        .to_owned();
    let row = txn.query_one(&select).await?.expect("the counter exists");
    Ok(row.try_get_by_index(0)?)
}

async fn set_counter(txn: &DatabaseTransaction, value: i64) -> Result<(), StorageError> {
    let update = Query::update()
        .table("counter")
        .value("value", value)
        .and_where(Expr::col("id").eq(1))
        .to_owned();
    txn.execute(&update).await?;
    Ok(())
}

async fn increment(db: &Database) -> Result<(), StorageError> {
    db.transaction("increment", |txn| async move {
        let value = lock_counter(&txn).await?;
        set_counter(&txn, value + 1).await
    })
    .await
}

async fn read_counter<C: ConnectionTrait>(conn: &C) -> i64 {
    let select = Query::select().column("value").from("counter").to_owned();
    let row = conn.query_one(&select).await.expect("a read");
    row.expect("the counter exists")
        .try_get_by_index(0)
        .expect("a number")
}
