//! Campaigns, their approvals, line items and their terms.

use sea_orm_migration::prelude::*;

use super::{
    aggregates, big, ensure_index, ensure_paging, ensure_unique, id, maybe_big, maybe_id,
    maybe_text, text, word,
};

pub(super) struct Migration;

impl MigrationName for Migration {
    fn name(&self) -> &str {
        "operations_m0003_orders"
    }
}

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        campaigns(manager).await?;
        approvals(manager).await?;
        line_items(manager).await?;
        terms(manager).await
    }
}

async fn campaigns(manager: &SchemaManager<'_>) -> Result<(), DbErr> {
    let campaigns = aggregates("campaigns")
        .col(id("advertiser_id"))
        .col(text("display_name", 200))
        .col(maybe_text("po_number", 190))
        .col(maybe_text("external_ref", 190))
        .col(text("currency", 3))
        .col(maybe_big("budget"))
        .col(big("starts_at"))
        .col(maybe_big("ends_at"))
        .col(word("state"))
        .col(maybe_id("approval_id"))
        .col(maybe_big("approved_at"))
        .to_owned();
    manager.create_table(campaigns).await?;
    ensure_paging(manager, "campaigns", "campaigns_paging").await?;
    let by_advertiser = ["advertiser_id", "created_at", "id"];
    ensure_index(
        manager,
        "campaigns",
        "campaigns_by_advertiser",
        &by_advertiser,
    )
    .await?;
    let key = ["advertiser_id", "external_ref"];
    ensure_unique(manager, "campaigns", "campaigns_external_ref", &key).await
}

async fn approvals(manager: &SchemaManager<'_>) -> Result<(), DbErr> {
    let approvals = aggregates("approvals")
        .col(id("campaign_id"))
        .col(word("state"))
        .col(text("requester", 190))
        .col(maybe_text("request_note", 1000))
        .col(maybe_text("decider", 190))
        .col(maybe_text("decision_note", 1000))
        .col(maybe_big("decided_at"))
        .to_owned();
    manager.create_table(approvals).await?;
    ensure_paging(manager, "approvals", "approvals_paging").await?;
    let by_campaign = ["campaign_id", "created_at", "id"];
    ensure_index(manager, "approvals", "approvals_by_campaign", &by_campaign).await
}

async fn line_items(manager: &SchemaManager<'_>) -> Result<(), DbErr> {
    let line_items = aggregates("line_items")
        .col(id("campaign_id"))
        .col(id("advertiser_id"))
        .col(text("display_name", 200))
        .col(maybe_text("external_ref", 190))
        .col(word("kind"))
        .col(big("priority"))
        .col(text("currency", 3))
        .col(big("starts_at"))
        .col(maybe_big("ends_at"))
        .col(maybe_big("goal"))
        .col(maybe_big("daily_cap"))
        .col(maybe_big("lifetime_cap"))
        .col(word("pacing"))
        .col(word("state"))
        .col(big("terms_version"))
        .to_owned();
    manager.create_table(line_items).await?;
    ensure_paging(manager, "line_items", "line_items_paging").await?;
    let by_advertiser = ["advertiser_id", "created_at", "id"];
    ensure_index(
        manager,
        "line_items",
        "line_items_by_advertiser",
        &by_advertiser,
    )
    .await?;
    let by_campaign = ["campaign_id", "created_at", "id"];
    ensure_index(
        manager,
        "line_items",
        "line_items_by_campaign",
        &by_campaign,
    )
    .await?;
    ensure_index(
        manager,
        "line_items",
        "line_items_by_state",
        &["state", "id"],
    )
    .await?;
    let key = ["campaign_id", "external_ref"];
    ensure_unique(manager, "line_items", "line_items_external_ref", &key).await
}

/// The id of a version is derived from the line item's and the number of the version.
async fn terms(manager: &SchemaManager<'_>) -> Result<(), DbErr> {
    let terms = Table::create()
        .table("line_item_terms")
        .if_not_exists()
        .col(id("id").primary_key())
        .col(id("line_item_id"))
        .col(big("version"))
        .col(id("campaign_id"))
        .col(id("advertiser_id"))
        .col(text("currency", 3))
        .col(word("pricing_model"))
        .col(big("rate"))
        .col(big("unit"))
        .col(word("billing_source"))
        .col(maybe_big("billing_cap"))
        .col(word("overdelivery"))
        .col(big("effective_at"))
        .col(text("line_item_name", 200))
        .col(text("campaign_name", 200))
        .to_owned();
    manager.create_table(terms).await?;
    let key = ["line_item_id", "version"];
    ensure_unique(manager, "line_item_terms", "line_item_terms_version", &key).await
}
