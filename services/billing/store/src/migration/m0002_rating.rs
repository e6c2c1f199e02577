//! Rated rows, buckets, line items, parked rows, and the projection of terms and revenue shares they were rated by.

use super::columns::{big, id, index, key, small, table, text};
use cleave_storage::schema::long_text;
use sea_orm::DbBackend;
use sea_orm::sea_query::{ColumnDef, InsertStatement, OnConflict, TableCreateStatement};
use sea_orm_migration::prelude::*;

pub(super) struct Migration;

impl MigrationName for Migration {
    fn name(&self) -> &str {
        "billing_m0002_rating"
    }
}

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        let long = |name| long_text(manager.get_database_backend(), name);
        let tables = [
            cursor(long("resume_token")),
            watermarks(),
            rated_rows(),
            buckets(),
            bucket_totals(),
            line_items(),
            parked_rows(),
            terms(),
            rev_shares(),
        ];
        for mut table in tables {
            if manager.get_database_backend() == DbBackend::Sqlite {
                // One tree instead of two: these tables are found by their keys alone.
                table.extra("WITHOUT ROWID");
            }
            manager.create_table(table).await?;
        }
        for (table, name, columns) in INDEXES {
            if !manager.has_index(table, name).await? {
                manager.create_index(index(table, name, columns)).await?;
            }
        }
        seed_cursor(manager).await
    }
}

/// What rows are found by, beside their keys.
const INDEXES: [(&str, &str, &[&str]); 9] = [
    (
        "buckets",
        "buckets_key",
        &[
            "line_item_id",
            "period",
            "terms_version",
            "ad_unit_id",
            "rev_share_id",
        ],
    ),
    ("buckets", "buckets_publisher", &["publisher_id", "period"]),
    ("terms", "terms_version", &["line_item_id", "version"]),
    (
        "rev_shares",
        "rev_shares_unit",
        &["rev_share_id", "ad_unit_id"],
    ),
    ("line_items", "line_items_campaign", &["campaign_id"]),
    ("line_items", "line_items_advertiser", &["advertiser_id"]),
    ("line_items", "line_items_unfunded", &["unfunded_since"]),
    ("parked_rows", "parked_rows_hour", &["hour"]),
    ("parked_rows", "parked_rows_tried", &["tried_at"]),
];

/// The one row that rating locks, there from the beginning so that it can be locked.
async fn seed_cursor(manager: &SchemaManager<'_>) -> Result<(), DbErr> {
    let mut insert = InsertStatement::new();
    insert
        .into_table("rating_cursor")
        .columns(["name", "resume_token", "revision", "as_of", "updated_at"])
        .values_panic([
            "delivery".into(),
            "".into(),
            0_i64.into(),
            0_i64.into(),
            0_i64.into(),
        ])
        .on_conflict(
            OnConflict::column("name")
                .do_nothing_on(["name"])
                .to_owned(),
        );
    manager.exec_stmt(insert).await
}

fn cursor(mut resume_token: ColumnDef) -> TableCreateStatement {
    table("rating_cursor")
        .col(text("name", 20).not_null().primary_key())
        .col(resume_token.not_null())
        .col(big("revision").not_null())
        .col(big("as_of").not_null())
        .col(big("updated_at").not_null())
        .to_owned()
}

fn watermarks() -> TableCreateStatement {
    table("watermarks")
        .col(text("source", 100).not_null().primary_key())
        .col(big("complete_through").not_null())
        .col(big("updated_at").not_null())
        .to_owned()
}

fn rated_rows() -> TableCreateStatement {
    table("rated_rows")
        .col(key("id"))
        .col(id("bucket_id").not_null())
        .col(text("source", 100).not_null())
        .col(big("hour").not_null())
        .col(big("revision").not_null())
        .col(big("quantity").not_null())
        .to_owned()
}

fn buckets() -> TableCreateStatement {
    table("buckets")
        .col(key("id"))
        .col(id("line_item_id").not_null())
        .col(big("terms_version").not_null())
        .col(id("ad_unit_id").not_null())
        .col(id("rev_share_id").not_null())
        .col(ColumnDef::new("period").integer().not_null())
        .col(id("publisher_id").not_null())
        .to_owned()
}

fn bucket_totals() -> TableCreateStatement {
    let mut totals = table("bucket_totals");
    totals
        .col(key("id"))
        .col(big("quantity").not_null())
        .col(big("row_count").not_null())
        .col(text("days", 1000).not_null());
    amounts(&mut totals);
    totals.col(big("updated_at").not_null()).to_owned()
}

fn line_items() -> TableCreateStatement {
    let mut items = table("line_items");
    items
        .col(key("id"))
        .col(id("campaign_id").not_null())
        .col(id("advertiser_id").not_null())
        .col(text("currency", 3).not_null())
        .col(small("reach").not_null());
    amounts(&mut items);
    items
        .col(big("charged").not_null())
        .col(big("unfunded").not_null())
        .col(big("written_off").not_null())
        .col(big("unfunded_since").null())
        .to_owned()
}

fn amounts(table: &mut TableCreateStatement) {
    for name in ["served", "billed", "earned", "revenue", "absorbed"] {
        table.col(big(name).not_null());
    }
}

fn parked_rows() -> TableCreateStatement {
    table("parked_rows")
        .col(key("id"))
        .col(text("source", 100).not_null())
        .col(id("line_item_id").not_null())
        .col(big("terms_version").not_null())
        .col(id("ad_unit_id").not_null())
        .col(big("hour").not_null())
        .col(big("revision").not_null())
        .col(text("counts", 1000).not_null())
        .col(small("reason").not_null())
        .col(text("detail", 500).not_null())
        .col(big("parked_at").not_null())
        .col(big("tried_at").not_null())
        .col(big("tries").not_null())
        .to_owned()
}

fn terms() -> TableCreateStatement {
    table("terms")
        .col(key("id"))
        .col(id("line_item_id").not_null())
        .col(big("version").not_null())
        .col(id("campaign_id").not_null())
        .col(id("advertiser_id").not_null())
        .col(text("currency", 3).not_null())
        .col(small("model").not_null())
        .col(big("rate").not_null())
        .col(big("unit").not_null())
        .col(big("billing_cap").null())
        .col(small("overdelivery").not_null())
        .col(big("effective_at").not_null())
        .to_owned()
}

fn rev_shares() -> TableCreateStatement {
    table("rev_shares")
        .col(key("id"))
        .col(id("rev_share_id").not_null())
        .col(id("ad_unit_id").not_null())
        .col(big("version").not_null())
        .col(id("game_id").not_null())
        .col(id("publisher_id").not_null())
        .col(ColumnDef::new("share").integer().not_null())
        .to_owned()
}
