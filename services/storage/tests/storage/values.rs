//! What is written comes back bit for bit, on every engine.

use cleave_storage::testing::TestDatabase;
use cleave_storage::{StorageError, schema};
use sea_orm::ConnectionTrait;
use sea_orm::sea_query::{ColumnDef, Expr, ExprTrait, Order, Query, Table};
use uuid::Uuid;

#[derive(Debug, Clone, PartialEq)]
struct Row {
    key: i64,
    number: i64,
    id: Uuid,
    name: String,
    text: String,
    bytes: Vec<u8>,
    flag: bool,
}

const COLUMNS: [&str; 7] = ["key", "number", "id", "name", "text", "bytes", "flag"];

fn rows() -> Vec<Row> {
    let row = |key, number, id: Uuid, name: &str, flag| Row {
        key,
        number,
        id,
        name: name.to_owned(),
        text: name.repeat(20_000),
        bytes: (0..=255).cycle().take(100_000).collect(),
        flag,
    };
    vec![
        row(i64::MIN, i64::MAX, Uuid::nil(), "", false),
        row(-1, i64::MIN, Uuid::max(), "漢字😀 \u{0301}", true),
        row(0, -1, Uuid::now_v7(), "A", false),
        row(1, 9_007_199_254_740_993, Uuid::new_v4(), "a ", true),
        row(
            i64::MAX,
            0,
            Uuid::from_u128(1),
            "'; DROP TABLE kept; --\\\n\t",
            true,
        ),
    ]
}

#[tokio::test]
async fn given_extremes_when_written_then_they_come_back_exact() {
    let rows = &rows();
    for test in TestDatabase::each_engine().await {
        let backend = test.db().reader().get_database_backend();
        let table = Table::create()
            .table("kept")
            .col(schema::bigint_key(backend, "key"))
            .col(ColumnDef::new("number").big_integer().not_null())
            .col(ColumnDef::new("id").uuid().not_null().unique_key())
            .col(
                ColumnDef::new("name")
                    .string_len(100)
                    .not_null()
                    .unique_key(),
            )
            .col(schema::long_text(backend, "text").not_null())
            .col(schema::long_bytes(backend, "bytes").not_null())
            .col(ColumnDef::new("flag").boolean().not_null())
            .to_owned();
        let table = &table;
        let written: Result<(), StorageError> = test
            .db()
            .transaction("write", |txn| async move {
                txn.execute(table).await?;
                for row in rows.clone() {
                    let insert = Query::insert()
                        .into_table("kept")
                        .columns(COLUMNS)
                        .values_panic([
                            row.key.into(),
                            row.number.into(),
                            row.id.into(),
                            row.name.into(),
                            row.text.into(),
                            row.bytes.into(),
                            row.flag.into(),
                        ])
                        .to_owned();
                    txn.execute(&insert).await?;
                }
                Ok(())
            })
            .await;
        written.expect("rows are written");

        // Not assert_eq: the rows are too long to print.
        assert!(read(&test, None).await == *rows, "{test:?}");
        for row in rows {
            let found = read(&test, Some(row)).await;
            assert!(found == [row.clone()], "{test:?}: {}", row.name);
        }
    }
}

/// All rows, or those that `like` has the id and name of.
async fn read(test: &TestDatabase, like: Option<&Row>) -> Vec<Row> {
    let mut select = Query::select();
    select
        .columns(COLUMNS)
        .from("kept")
        .order_by("key", Order::Asc);
    if let Some(like) = like {
        select.and_where(Expr::col("id").eq(like.id));
        select.and_where(Expr::col("name").eq(like.name.as_str()));
    }
    let rows = test.db().reader().query_all(&select).await.expect("a read");
    rows.iter()
        .map(|row| {
            Ok(Row {
                key: row.try_get_by_index(0)?,
                number: row.try_get_by_index(1)?,
                id: row.try_get_by_index(2)?,
                name: row.try_get_by_index(3)?,
                text: row.try_get_by_index(4)?,
                bytes: row.try_get_by_index(5)?,
                flag: row.try_get_by_index(6)?,
            })
        })
        .collect::<Result<_, StorageError>>()
        .expect("rows can be read")
}
