//! What has still to be told to Billing.

use cleave_storage::schema::long_text;
use sea_orm_migration::prelude::*;

use super::{big, ensure_index, id};

pub(super) struct Migration;

impl MigrationName for Migration {
    fn name(&self) -> &str {
        "operations_m0004_outbox"
    }
}

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        let backend = manager.get_database_backend();
        // The id is the request that will tell it, the same however often it is sent.
        let outbox = Table::create()
            .table("outbox")
            .if_not_exists()
            .col(id("id").primary_key())
            .col(long_text(backend, "message").not_null())
            .col(big("created_at"))
            .col(big("next_at"))
            .col(big("attempts"))
            .col(long_text(backend, "last_error"))
            .to_owned();
        manager.create_table(outbox).await?;
        ensure_index(manager, "outbox", "outbox_due", &["next_at", "id"]).await
    }
}
