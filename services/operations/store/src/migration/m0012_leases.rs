//! Leases, and what is known about the leasing of each line item.

use cleave_storage::schema::long_text;
use sea_orm_migration::prelude::*;
use sea_orm_migration::sea_query::{ColumnDef, Table};

use super::ensure_index;

pub(super) struct Migration;

impl MigrationName for Migration {
    fn name(&self) -> &str {
        "operations_m0012_leases"
    }
}

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        let big = |name: &'static str| ColumnDef::new(name).big_integer().to_owned();
        let leases = Table::create()
            .table("leases")
            .if_not_exists()
            .col(ColumnDef::new("request_id").uuid().not_null().primary_key())
            .col(ColumnDef::new("line_item_id").uuid().not_null())
            .col(ColumnDef::new("advertiser_id").uuid().not_null())
            .col(ColumnDef::new("currency").string_len(3).not_null())
            .col(big("terms_version").not_null())
            .col(ColumnDef::new("state").string_len(16).not_null())
            .col(big("asked").not_null())
            .col(big("least").not_null())
            .col(big("planned_at").not_null())
            .col(big("serve_until").not_null())
            .col(big("settle_until").not_null())
            .col(ColumnDef::new("reservation_id").uuid())
            .col(big("granted").not_null())
            .col(big("granted_at"))
            .col(big("counted").not_null())
            .to_owned();
        manager.create_table(leases).await?;
        ensure_index(
            manager,
            "leases",
            "leases_by_state",
            &["state", "serve_until"],
        )
        .await?;
        ensure_index(
            manager,
            "leases",
            "leases_by_line_item",
            &["line_item_id", "planned_at"],
        )
        .await?;

        let lines = Table::create()
            .table("lease_lines")
            .if_not_exists()
            .col(
                ColumnDef::new("line_item_id")
                    .uuid()
                    .not_null()
                    .primary_key(),
            )
            .col(big("spend_counted").not_null())
            .col(long_text(manager.get_database_backend(), "refusal"))
            .col(big("unreachable_since"))
            .col(big("serve_until"))
            .to_owned();
        manager.create_table(lines).await
    }
}
