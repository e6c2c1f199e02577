//! Bulk statements write what single ones would, in any number.

use cleave_storage::testing::TestDatabase;
use cleave_storage::{Bulk, Column, StorageError, schema};
use sea_orm::sea_query::{ColumnDef, Order, Query, Table};
use sea_orm::{ConnectionTrait, Value};
use uuid::Uuid;

const KEPT: Bulk<8> = Bulk::new(
    "kept",
    [
        Column::big_int("key"),
        Column::uuid("id"),
        Column::text("text").nullable(),
        Column::bytes("bytes").nullable(),
        Column::bool("flag"),
        Column::small_int("small"),
        Column::integer("middle").nullable(),
        Column::big_int("big").nullable(),
    ],
);

type Row = (
    i64,
    Uuid,
    Option<String>,
    Option<Vec<u8>>,
    bool,
    i16,
    Option<i32>,
    Option<i64>,
);

async fn create(test: &TestDatabase) {
    let backend = test.db().reader().get_database_backend();
    let table = Table::create()
        .table("kept")
        .col(schema::bigint_key(backend, "key"))
        .col(ColumnDef::new("id").uuid().not_null())
        .col(schema::long_text(backend, "text"))
        .col(schema::long_bytes(backend, "bytes"))
        .col(ColumnDef::new("flag").boolean().not_null())
        .col(ColumnDef::new("small").small_integer().not_null())
        .col(ColumnDef::new("middle").integer())
        .col(ColumnDef::new("big").big_integer())
        .to_owned();
    let table = &table;
    test.db()
        .transaction("create", |txn| async move {
            txn.execute(table).await?;
            Ok::<_, StorageError>(())
        })
        .await
        .expect("a table");
}

/// Rows with a null here and there.
fn rows(count: i64, salt: i64) -> Vec<Row> {
    let row = |key: i64| {
        let number = key * 7 + salt;
        (
            key,
            Uuid::from_u128(u128::from(number.unsigned_abs())),
            (number % 3 != 0).then(|| format!("text {number} 😀")),
            (number % 4 != 0).then(|| number.to_be_bytes().to_vec()),
            number % 2 == 0,
            i16::try_from(number % 1000).expect("small"),
            (number % 5 != 0).then_some(i32::MIN),
            (number % 6 != 0).then_some(i64::MAX - number),
        )
    };
    (0..count).map(row).collect()
}

fn values(rows: &[Row]) -> Vec<[Value; 8]> {
    let values = |row: Row| {
        let (key, id, text, bytes, flag, small, middle, big) = row;
        [
            key.into(),
            id.into(),
            text.into(),
            bytes.into(),
            flag.into(),
            small.into(),
            middle.into(),
            big.into(),
        ]
    };
    rows.iter().cloned().map(values).collect()
}

async fn read(test: &TestDatabase) -> Vec<Row> {
    let columns = [
        "key", "id", "text", "bytes", "flag", "small", "middle", "big",
    ];
    let select = Query::select()
        .columns(columns)
        .from("kept")
        .order_by("key", Order::Asc)
        .to_owned();
    let rows = test.db().reader().query_all(&select).await.expect("a read");
    rows.iter()
        .map(|row| {
            Ok((
                row.try_get_by_index(0)?,
                row.try_get_by_index(1)?,
                row.try_get_by_index(2)?,
                row.try_get_by_index(3)?,
                row.try_get_by_index(4)?,
                row.try_get_by_index(5)?,
                row.try_get_by_index(6)?,
                row.try_get_by_index(7)?,
            ))
        })
        .collect::<Result<_, StorageError>>()
        .expect("rows can be read")
}

#[tokio::test]
async fn given_many_rows_when_inserted_and_overwritten_then_each_is_as_written() {
    for test in TestDatabase::each_engine().await {
        create(&test).await;
        // More values than any engine binds at once.
        let first = &rows(9_001, 0);
        test.db()
            .transaction("insert", |txn| async move {
                KEPT.insert(&txn, Vec::new()).await?;
                KEPT.insert(&txn, values(first)).await
            })
            .await
            .expect("an insert");
        assert!(read(&test).await == *first, "{test:?}");

        let second = &rows(9_037, 5);
        test.db()
            .transaction("upsert", |txn| async move {
                KEPT.upsert(&txn, &["key"], values(second)).await
            })
            .await
            .expect("an upsert");
        assert!(read(&test).await == *second, "{test:?}");

        let third = &rows(9_100, 3);
        test.db()
            .transaction("insert new", |txn| async move {
                KEPT.insert_new(&txn, &["key"], values(third)).await
            })
            .await
            .expect("an insert");
        let kept = [second.as_slice(), &third[second.len()..]].concat();
        assert!(read(&test).await == kept, "{test:?}");
    }
}

#[tokio::test]
async fn given_a_row_that_is_there_when_inserted_then_it_is_unique_and_nothing_is_kept() {
    for test in TestDatabase::each_engine().await {
        create(&test).await;
        let twice = test
            .db()
            .transaction("insert", |txn| async move {
                KEPT.insert(&txn, values(&rows(3, 0))).await?;
                KEPT.insert(&txn, values(&rows(1, 1))).await
            })
            .await;
        assert_eq!(twice.expect_err("taken").kind(), "unique", "{test:?}");
        assert!(read(&test).await.is_empty(), "{test:?}");
    }
}

#[tokio::test]
async fn given_a_null_where_none_may_stand_when_inserted_then_it_is_refused() {
    for test in TestDatabase::each_engine().await {
        create(&test).await;
        let mut row = values(&rows(1, 1));
        row[0][1] = Option::<Uuid>::None.into();
        let row = &row;
        let refused = test
            .db()
            .transaction("insert", |txn| async move {
                KEPT.insert(&txn, row.clone()).await
            })
            .await;
        assert_eq!(refused.expect_err("null").kind(), "internal", "{test:?}");
    }
}
