//! Delivery: the gate, the sources, the rows, and what is summed of them.

use sea_orm_migration::prelude::*;
use sea_orm_migration::sea_query::{ColumnDef, Query, Table};

use super::ensure_index;
use crate::delivery::{COUNT_COLUMNS, GATE_ROW};

pub(super) struct Migration;

impl MigrationName for Migration {
    fn name(&self) -> &str {
        "operations_m0010_delivery"
    }
}

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        manager.create_table(gate()).await?;
        open_gate(manager).await?;
        manager.create_table(sources()).await?;
        manager.create_table(rows()).await?;
        ensure_index(manager, "delivery_rows", "delivery_rows_by_seq", &["seq"]).await?;
        ensure_index(
            manager,
            "delivery_rows",
            "delivery_rows_by_line_item",
            &["line_item_id", "id"],
        )
        .await?;
        manager.create_table(days()).await?;
        ensure_index(manager, "delivery_days", "delivery_days_by_seq", &["seq"]).await?;
        manager.create_table(ad_units()).await
    }
}

/// One row: locked by who writes delivery, it holds the last seq and up to where all is frozen.
fn gate() -> TableCreateStatement {
    Table::create()
        .table("delivery_gate")
        .if_not_exists()
        .col(
            ColumnDef::new("id")
                .small_integer()
                .not_null()
                .primary_key(),
        )
        .col(ColumnDef::new("head_seq").big_integer().not_null())
        .col(ColumnDef::new("frozen_through").big_integer())
        .to_owned()
}

/// Inserts the row, unless an earlier run of this migration was cut off after it did.
async fn open_gate(manager: &SchemaManager<'_>) -> Result<(), DbErr> {
    let conn = manager.get_connection();
    let present = Query::select()
        .column("id")
        .from("delivery_gate")
        .to_owned();
    if conn.query_one(&present).await?.is_some() {
        return Ok(());
    }
    let insert = Query::insert()
        .into_table("delivery_gate")
        .columns(["id", "head_seq"])
        .values_panic([GATE_ROW.into(), 0_i64.into()])
        .to_owned();
    conn.execute(&insert).await?;
    Ok(())
}

fn sources() -> TableCreateStatement {
    Table::create()
        .table("delivery_sources")
        .if_not_exists()
        .col(
            ColumnDef::new("source")
                .string_len(100)
                .not_null()
                .primary_key(),
        )
        .col(ColumnDef::new("first_hour").big_integer())
        .col(ColumnDef::new("complete_through").big_integer())
        .col(ColumnDef::new("seq").big_integer().not_null())
        .col(ColumnDef::new("updated_at").big_integer().not_null())
        .to_owned()
}

fn rows() -> TableCreateStatement {
    let mut table = Table::create();
    table
        .table("delivery_rows")
        .if_not_exists()
        .col(ColumnDef::new("id").uuid().not_null().primary_key())
        .col(ColumnDef::new("seq").big_integer().not_null())
        .col(ColumnDef::new("source").string_len(100).not_null())
        .col(ColumnDef::new("line_item_id").uuid().not_null())
        .col(ColumnDef::new("terms_version").big_integer().not_null())
        .col(ColumnDef::new("ad_unit_id").uuid().not_null())
        .col(ColumnDef::new("hour").big_integer().not_null())
        .col(ColumnDef::new("revision").big_integer().not_null())
        .col(ColumnDef::new("reason").string_len(16).not_null())
        .col(ColumnDef::new("reported_at").big_integer().not_null());
    with_counts(&mut table);
    table
}

/// Sums per line item, version of its terms and civil day; `seq` is that of the last row that moved them.
fn days() -> TableCreateStatement {
    let mut table = Table::create();
    table
        .table("delivery_days")
        .if_not_exists()
        .col(ColumnDef::new("line_item_id").uuid().not_null())
        .col(ColumnDef::new("terms_version").big_integer().not_null())
        .col(ColumnDef::new("day").integer().not_null())
        .col(ColumnDef::new("seq").big_integer().not_null())
        .primary_key(
            Index::create()
                .col("line_item_id")
                .col("terms_version")
                .col("day"),
        );
    with_counts(&mut table);
    table
}

/// The last hour that was reported for each ad unit, by which a revenue share knows whether it is in use.
fn ad_units() -> TableCreateStatement {
    Table::create()
        .table("delivery_ad_units")
        .if_not_exists()
        .col(ColumnDef::new("ad_unit_id").uuid().not_null().primary_key())
        .col(ColumnDef::new("last_hour").big_integer().not_null())
        .to_owned()
}

fn with_counts(table: &mut TableCreateStatement) {
    for name in COUNT_COLUMNS {
        table.col(ColumnDef::new(name).big_integer().not_null());
    }
}
