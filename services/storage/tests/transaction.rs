//! The transaction helper on every engine: nothing is lost under contention, an error leaves nothing behind.

use cleave_storage::testing::TestDatabase;
use cleave_storage::{Database, StorageError};
use sea_orm::sea_query::{ColumnDef, Expr, ExprTrait, Query, Table};
use sea_orm::{ConnectionTrait, DatabaseTransaction};

const WRITERS: i64 = 8;
const INCREMENTS: i64 = 50;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn given_writers_that_contend_when_each_increments_then_no_increment_is_lost() {
    for test in TestDatabase::each_engine().await {
        create_counter(test.db()).await;
        let writers = (0..WRITERS).map(|_| {
            let db = test.db().clone();
            tokio::spawn(async move {
                for _ in 0..INCREMENTS {
                    increment(&db).await.expect("an increment succeeds");
                }
            })
        });
        for writer in writers.collect::<Vec<_>>() {
            writer.await.expect("a writer finishes");
        }
        assert_eq!(
            read_counter(test.db()).await,
            WRITERS * INCREMENTS,
            "{test:?}"
        );
    }
}

async fn increment(db: &Database) -> Result<(), StorageError> {
    let by = &String::from("1");
    db.transaction("increment", |txn| async move {
        let value = lock_counter(&txn).await?;
        let by: i64 = by.parse().expect("a number");
        set_counter(&txn, value + by).await
    })
    .await
}

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

async fn read_counter(db: &Database) -> i64 {
    let select = Query::select().column("value").from("counter").to_owned();
    let row = db.reader().query_one(&select).await.expect("a read");
    row.expect("the counter exists")
        .try_get_by_index(0)
        .expect("a number")
}
