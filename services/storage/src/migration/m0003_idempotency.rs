//! `idempotency`: the first definitive outcome of each request.

use sea_orm::sea_query::{ColumnDef, Table};
use sea_orm_migration::prelude::*;

use crate::schema::long_bytes;

pub(super) struct Migration;

impl MigrationName for Migration {
    fn name(&self) -> &str {
        "storage_m0003_idempotency"
    }
}

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        let backend = manager.get_database_backend();
        let idempotency = Table::create()
            .table("idempotency")
            .if_not_exists()
            .col(ColumnDef::new("request_id").uuid().not_null().primary_key())
            .col(ColumnDef::new("method").string_len(64).not_null())
            .col(ColumnDef::new("fingerprint").binary_len(32).not_null())
            .col(long_bytes(backend, "outcome").not_null())
            .col(ColumnDef::new("recorded_at").big_integer().not_null())
            .to_owned();
        manager.create_table(idempotency).await
    }
}
