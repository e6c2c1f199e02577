//! Lists delivery, hour by hour.

use cleave_kernel::{AdUnitId, CampaignId, LineItemId, Timestamp};
use cleave_storage::{Database, StorageError};
use operations_domain::delivery::SourceName;
use sea_orm::ConnectionTrait;
use sea_orm::sea_query::{Expr, ExprTrait, Order, Query, SelectStatement};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::key::least_id;
use super::row::{SourceNames, StoredRow, columns};

/// Which rows to list; what is absent does not matter.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct DeliveryFilter {
    /// Who counted.
    pub source: Option<SourceName>,
    /// What was served.
    pub line_item: Option<LineItemId>,
    /// For which campaign.
    pub campaign: Option<CampaignId>,
    /// Where.
    pub ad_unit: Option<AdUnitId>,
    /// Hours from this instant on.
    pub from: Option<Timestamp>,
    /// Hours before this instant.
    pub until: Option<Timestamp>,
}

/// Where a page ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct DeliveryPosition(Uuid);

/// Up to `limit` rows after `position`, by hour, and where the next page begins if there is one.
pub async fn list(
    db: &Database,
    filter: &DeliveryFilter,
    position: Option<DeliveryPosition>,
    limit: usize,
) -> Result<(Vec<StoredRow>, Option<DeliveryPosition>), StorageError> {
    // One more than asked for tells whether there is another page.
    let more = u64::try_from(limit).unwrap_or(u64::MAX).saturating_add(1);
    let select = &page(filter, position, more);
    let results = db
        .read("list_delivery", |conn| async move {
            Ok::<_, StorageError>(conn.query_all(select).await?)
        })
        .await?;
    let mut names = SourceNames::default();
    let mut rows = Vec::with_capacity(results.len().min(limit));
    let mut last = None;
    for result in results.iter().take(limit) {
        let (id, row) = StoredRow::read(result, &mut names)?;
        last = Some(DeliveryPosition(id));
        rows.push(row);
    }
    Ok((rows, last.filter(|_| results.len() > limit)))
}

fn page(
    filter: &DeliveryFilter,
    position: Option<DeliveryPosition>,
    limit: u64,
) -> SelectStatement {
    let mut select = Query::select();
    select
        .columns(columns())
        .from("delivery_rows")
        .order_by("id", Order::Asc)
        .limit(limit);
    if let Some(DeliveryPosition(id)) = position {
        select.and_where(Expr::col("id").gt(id));
    }
    if let Some(from) = filter.from {
        select.and_where(Expr::col("id").gte(least_id(from)));
    }
    if let Some(until) = filter.until {
        select.and_where(Expr::col("id").lt(least_id(until)));
    }
    if let Some(source) = &filter.source {
        select.and_where(Expr::col("source").eq(source.as_str()));
    }
    if let Some(line_item) = filter.line_item {
        select.and_where(Expr::col("line_item_id").eq(line_item.uuid()));
    }
    if let Some(ad_unit) = filter.ad_unit {
        select.and_where(Expr::col("ad_unit_id").eq(ad_unit.uuid()));
    }
    if let Some(campaign) = filter.campaign {
        let line_items = Query::select()
            .column("id")
            .from("line_items")
            .and_where(Expr::col("campaign_id").eq(campaign.uuid()))
            .to_owned();
        select.and_where(Expr::col("line_item_id").in_subquery(line_items));
    }
    select
}
