//! Games, ad units and revenue shares.

use sea_orm_migration::prelude::*;

use super::{
    aggregates, big, ensure_index, ensure_paging, ensure_unique, id, maybe_text, text, word,
};

pub(super) struct Migration;

impl MigrationName for Migration {
    fn name(&self) -> &str {
        "operations_m0002_inventory"
    }
}

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        let games = aggregates("games")
            .col(id("publisher_id"))
            .col(text("display_name", 200))
            .col(text("bundle", 190))
            .col(word("store"))
            .col(maybe_text("store_url", 1000))
            .col(maybe_text("category", 190))
            .col(maybe_text("content_rating", 190))
            .col(word("state"))
            .col(maybe_text("review_note", 1000))
            .to_owned();
        manager.create_table(games).await?;
        ensure_paging(manager, "games", "games_paging").await?;
        let by_publisher = ["publisher_id", "created_at", "id"];
        ensure_index(manager, "games", "games_by_publisher", &by_publisher).await?;
        ensure_unique(manager, "games", "games_bundle", &["store", "bundle"]).await?;

        let ad_units = aggregates("ad_units")
            .col(id("game_id"))
            .col(text("display_name", 200))
            .col(word("format"))
            .col(big("width"))
            .col(big("height"))
            .col(big("floor_micros"))
            .col(maybe_text("currency", 3))
            .col(maybe_text("tag_id", 190))
            .col(word("state"))
            .to_owned();
        manager.create_table(ad_units).await?;
        ensure_paging(manager, "ad_units", "ad_units_paging").await?;
        let by_game = ["game_id", "created_at", "id"];
        ensure_index(manager, "ad_units", "ad_units_by_game", &by_game).await?;
        ensure_unique(manager, "ad_units", "ad_units_tag", &["game_id", "tag_id"]).await?;

        // Versions never change: `version` counts them within the scope, both times are that of publication.
        let rev_shares = aggregates("rev_shares")
            .col(word("scope_level"))
            .col(id("scope_subject"))
            .col(big("share_ppm"))
            .col(big("effective_at"))
            .col(maybe_text("note", 1000))
            .to_owned();
        manager.create_table(rev_shares).await?;
        ensure_paging(manager, "rev_shares", "rev_shares_paging").await?;
        let version = ["scope_subject", "scope_level", "version"];
        ensure_unique(manager, "rev_shares", "rev_shares_version", &version).await
    }
}
