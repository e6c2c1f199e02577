//! What Billing tells: its accounts, and how far its feeds were followed.

use cleave_storage::schema::long_text;
use sea_orm_migration::prelude::*;
use sea_orm_migration::sea_query::{ColumnDef, Table};

pub(super) struct Migration;

impl MigrationName for Migration {
    fn name(&self) -> &str {
        "operations_m0011_billing_accounts"
    }
}

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        let backend = manager.get_database_backend();
        let accounts = Table::create()
            .table("billing_accounts")
            .if_not_exists()
            .col(ColumnDef::new("owner_id").uuid().not_null().primary_key())
            .col(ColumnDef::new("party").string_len(16).not_null())
            .col(ColumnDef::new("account_id").uuid().not_null())
            .col(ColumnDef::new("currency").string_len(3).not_null())
            .col(ColumnDef::new("state").string_len(16).not_null())
            .col(ColumnDef::new("standing").string_len(16).not_null())
            .col(long_text(backend, "reasons").not_null())
            .col(ColumnDef::new("available").big_integer().not_null())
            .col(ColumnDef::new("held").big_integer().not_null())
            .col(ColumnDef::new("credit_limit").big_integer().not_null())
            .col(ColumnDef::new("revision").big_integer().not_null())
            .col(ColumnDef::new("as_of").big_integer().not_null())
            .to_owned();
        manager.create_table(accounts).await?;

        let feeds = Table::create()
            .table("peer_feeds")
            .if_not_exists()
            .col(
                ColumnDef::new("name")
                    .string_len(64)
                    .not_null()
                    .primary_key(),
            )
            .col(long_text(backend, "token").not_null())
            .col(ColumnDef::new("revision").big_integer().not_null())
            .col(ColumnDef::new("as_of").big_integer().not_null())
            .col(ColumnDef::new("heard_at").big_integer().not_null())
            .to_owned();
        manager.create_table(feeds).await
    }
}
