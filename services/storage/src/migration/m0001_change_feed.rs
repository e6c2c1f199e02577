//! `changes`, one row per subject, and `change_feed`, the row that numbers them.

use sea_orm::sea_query::{ColumnDef, Index, Query, Table};
use sea_orm_migration::prelude::*;
use uuid::Uuid;

use crate::feed::FEED_ROW;

pub(super) struct Migration;

impl MigrationName for Migration {
    fn name(&self) -> &str {
        "storage_m0001_change_feed"
    }
}

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        let changes = Table::create()
            .table("changes")
            .if_not_exists()
            .col(ColumnDef::new("topic").small_integer().not_null())
            .col(ColumnDef::new("subject").uuid().not_null())
            .col(ColumnDef::new("seq").big_integer().not_null())
            .col(ColumnDef::new("changed_at").big_integer().not_null())
            .primary_key(Index::create().col("topic").col("subject"))
            .index(Index::create().name("changes_seq").unique().col("seq"))
            .to_owned();
        manager.create_table(changes).await?;

        let feed = Table::create()
            .table("change_feed")
            .if_not_exists()
            .col(
                ColumnDef::new("id")
                    .small_integer()
                    .not_null()
                    .primary_key(),
            )
            .col(ColumnDef::new("epoch").uuid().not_null())
            .col(ColumnDef::new("head_seq").big_integer().not_null())
            .col(ColumnDef::new("floor_seq").big_integer().not_null())
            .to_owned();
        manager.create_table(feed).await?;
        begin_history(manager).await
    }
}

/// Inserts the row, unless an earlier run of this migration was cut off after it did.
async fn begin_history(manager: &SchemaManager<'_>) -> Result<(), DbErr> {
    let conn = manager.get_connection();
    let present = Query::select().column("id").from("change_feed").to_owned();
    if conn.query_one(&present).await?.is_some() {
        return Ok(());
    }
    let insert = Query::insert()
        .into_table("change_feed")
        .columns(["id", "epoch", "head_seq", "floor_seq"])
        .values_panic([
            FEED_ROW.into(),
            Uuid::new_v4().into(),
            0_i64.into(),
            0_i64.into(),
        ])
        .to_owned();
    conn.execute(&insert).await?;
    Ok(())
}
