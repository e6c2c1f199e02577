//! Advertisers and publishers.

use sea_orm_migration::prelude::*;

use super::{aggregates, big, ensure_paging, ensure_unique, maybe_id, maybe_text, text, word};
use cleave_storage::schema::long_text;

pub(super) struct Migration;

impl MigrationName for Migration {
    fn name(&self) -> &str {
        "operations_m0001_parties"
    }
}

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        let advertisers = aggregates("advertisers")
            .col(text("display_name", 200))
            .col(maybe_text("domain", 190))
            .col(maybe_text("category", 190))
            .col(text("time_zone", 64))
            .col(text("currency", 3))
            .col(maybe_text("external_ref", 190))
            .col(word("billing_mode"))
            .col(big("credit_limit"))
            .col(big("net_days"))
            .col(word("state"))
            .col(maybe_id("account_id"))
            .to_owned();
        manager.create_table(advertisers).await?;
        ensure_paging(manager, "advertisers", "advertisers_paging").await?;
        let key = ["external_ref"];
        ensure_unique(manager, "advertisers", "advertisers_external_ref", &key).await?;

        let publishers = aggregates("publishers")
            .col(text("display_name", 200))
            .col(maybe_text("seller_domain", 190))
            .col(maybe_text("seller_id", 190))
            .col(long_text(manager.get_database_backend(), "contact_emails").not_null())
            .col(text("currency", 3))
            .col(maybe_text("external_ref", 190))
            .col(word("billing_mode"))
            .col(big("credit_limit"))
            .col(big("net_days"))
            .col(word("state"))
            .col(maybe_id("account_id"))
            .to_owned();
        manager.create_table(publishers).await?;
        ensure_paging(manager, "publishers", "publishers_paging").await?;
        ensure_unique(manager, "publishers", "publishers_external_ref", &key).await?;
        let seller = ["seller_domain", "seller_id"];
        ensure_unique(manager, "publishers", "publishers_seller", &seller).await
    }
}
