//! Rows that cannot be read, rows that were written off, and what parked rows would be rated by.

use super::columns::{big, id, index, key, small, table, text};
use cleave_storage::schema::{long_bytes, long_text};
use sea_orm::DbBackend;
use sea_orm::sea_query::{ColumnDef, Table, TableCreateStatement};
use sea_orm_migration::prelude::*;

pub(super) struct Migration;

impl MigrationName for Migration {
    fn name(&self) -> &str {
        "billing_m0003_write_off"
    }
}

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        let backend = manager.get_database_backend();
        let tables = [
            unreadable_rows(long_bytes(backend, "content")),
            written_off_rows(long_text(backend, "content")),
        ];
        for mut table in tables {
            if backend == DbBackend::Sqlite {
                // As with the other tables of rating.
                table.extra("WITHOUT ROWID");
            }
            manager.create_table(table).await?;
        }
        for (table, name, columns) in INDEXES {
            if !manager.has_index(table, name).await? {
                manager.create_index(index(table, name, columns)).await?;
            }
        }
        let period = ColumnDef::new("period").integer().to_owned();
        for mut column in [id("rev_share_id"), period, small("day")] {
            let name = column.get_column_name();
            if !manager.has_column("parked_rows", name).await? {
                let add = Table::alter()
                    .table("parked_rows")
                    .add_column(column.null())
                    .to_owned();
                manager.alter_table(add).await?;
            }
        }
        Ok(())
    }
}

/// What rows are found by, beside their keys.
const INDEXES: [(&str, &str, &[&str]); 5] = [
    ("unreadable_rows", "unreadable_rows_hour", &["hour"]),
    ("written_off_rows", "written_off_rows_row", &["row_id"]),
    ("terms", "terms_advertiser", &["advertiser_id"]),
    ("rev_shares", "rev_shares_publisher", &["publisher_id"]),
    ("parked_rows", "parked_rows_line_item", &["line_item_id"]),
];

fn unreadable_rows(mut content: ColumnDef) -> TableCreateStatement {
    table("unreadable_rows")
        .col(key("id"))
        .col(text("source", 100).not_null())
        .col(text("line_item", 100).not_null())
        .col(big("terms_version").not_null())
        .col(text("ad_unit", 100).not_null())
        .col(big("hour").not_null())
        .col(big("revision").not_null())
        .col(content.not_null())
        .col(text("problem", 500).not_null())
        .col(big("parked_at").not_null())
        .col(big("seen_at").not_null())
        .col(big("times").not_null())
        .to_owned()
}

fn written_off_rows(mut content: ColumnDef) -> TableCreateStatement {
    table("written_off_rows")
        .col(key("id"))
        .col(id("row_id").not_null())
        .col(big("revision").not_null())
        .col(text("source", 100).not_null())
        .col(text("line_item", 100).not_null())
        .col(big("terms_version").not_null())
        .col(text("ad_unit", 100).not_null())
        .col(big("hour").not_null())
        .col(content.not_null())
        .col(small("obstacle").not_null())
        .col(text("detail", 500).not_null())
        .col(small("rated").not_null())
        .col(text("reason", 500).not_null())
        .col(text("actor", 200).not_null())
        .col(big("created_at").not_null())
        .to_owned()
}
