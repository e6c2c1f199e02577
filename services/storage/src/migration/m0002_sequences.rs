//! `sequences`: the last number that each sequence gave out.

use sea_orm::sea_query::{ColumnDef, Table};
use sea_orm_migration::prelude::*;

pub(super) struct Migration;

impl MigrationName for Migration {
    fn name(&self) -> &str {
        "storage_m0002_sequences"
    }
}

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        let sequences = Table::create()
            .table("sequences")
            .if_not_exists()
            .col(
                ColumnDef::new("name")
                    .string_len(64)
                    .not_null()
                    .primary_key(),
            )
            .col(ColumnDef::new("taken").big_integer().not_null())
            .to_owned();
        manager.create_table(sequences).await
    }
}
