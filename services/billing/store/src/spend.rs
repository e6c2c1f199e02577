//! Reading what delivery has cost.

use crate::error::StoreError;
use crate::rating::whole;
use crate::row::{self, bucket, line_item, reservation};
use crate::store::Store;
use billing_domain::Period;
use billing_domain::bucket::{Bucket, BucketKey};
use billing_domain::rating_set::LineItemTotals;
use cleave_kernel::{
    AdvertiserId, CampaignId, Currency, LineItemId, Micros, PublisherId, Timestamp,
};
use cleave_storage::padded;
use sea_orm::sea_query::{Expr, ExprTrait, Order, Query, SelectStatement, Value};
use sea_orm::{ConnectionTrait, QueryResult};
use std::collections::BTreeMap;

/// Line items in one query.
const TOGETHER: usize = 1024;

/// Which buckets a list shows.
#[derive(Debug, Clone, Default)]
pub struct ChargeFilter {
    /// Those of one advertiser.
    pub advertiser: Option<AdvertiserId>,
    /// Those of one campaign.
    pub campaign: Option<CampaignId>,
    /// Those of one line item.
    pub line_item: Option<LineItemId>,
    /// Those of one publisher.
    pub publisher: Option<PublisherId>,
    /// Those of one accounting month.
    pub period: Option<Period>,
}

/// A line item with delivery that nothing covers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Waiting {
    /// Since when.
    pub since: Timestamp,
    /// The line item.
    pub line_item: LineItemId,
}

impl Store {
    /// What line items have cost so far; those without rated delivery are left out.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn line_item_totals(
        &self,
        ids: &[LineItemId],
    ) -> Result<Vec<LineItemTotals>, StoreError> {
        self.database()
            .read("line_item_totals", |conn| async move {
                let mut totals = Vec::with_capacity(ids.len());
                for chunk in ids.chunks(TOGETHER) {
                    let select = row::select(line_item::TABLE, line_item::COLUMNS)
                        .and_where(Expr::col("id").is_in(padded(chunk.iter().map(|id| id.uuid()))))
                        .order_by("id", Order::Asc)
                        .to_owned();
                    for row in conn.query_all(&select).await? {
                        totals.push(line_item::read(&row)?);
                    }
                }
                Ok(totals)
            })
            .await
    }

    /// What the live reservations of line items hold; those without are left out.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn held_for(
        &self,
        ids: &[LineItemId],
    ) -> Result<BTreeMap<LineItemId, (Currency, Micros)>, StoreError> {
        self.database()
            .read("held_for", |conn| async move {
                let mut held = BTreeMap::new();
                for chunk in ids.chunks(TOGETHER) {
                    let wanted = padded(chunk.iter().map(|id| id.uuid()));
                    let select = row::select(reservation::TABLE, reservation::COLUMNS)
                        .and_where(Expr::col("line_item_id").is_in(wanted))
                        .and_where(Expr::col("state").is_in(reservation::LIVE))
                        .to_owned();
                    for row in conn.query_all(&select).await? {
                        let reservation = reservation::read(&row)?;
                        let zero = (reservation.currency, Micros::ZERO);
                        let (_, sum) = held.entry(reservation.line_item).or_insert(zero);
                        let added = reservation.left().and_then(|left| sum.checked_add(left));
                        *sum = added.map_err(|error| StoreError::corrupt(error.to_string()))?;
                    }
                }
                Ok(held)
            })
            .await
    }

    /// Up to `limit` buckets after `after`, in the order of their keys: line item, month, terms, ad unit, share.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn list_charges(
        &self,
        filter: &ChargeFilter,
        after: Option<BucketKey>,
        limit: u64,
    ) -> Result<Vec<Bucket>, StoreError> {
        let select = &charges(filter, after, limit);
        self.database()
            .read("list_charges", |conn| async move {
                let rows = conn.query_all(select).await?;
                rows.iter().map(whole::read).collect()
            })
            .await
    }

    /// Up to `limit` line items after `after` with delivery that is unfunded since `before` or earlier and for which
    /// nothing is held any more, the longest waiting first.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn unfunded_line_items(
        &self,
        before: Timestamp,
        after: Option<Waiting>,
        limit: u64,
    ) -> Result<Vec<Waiting>, StoreError> {
        let live = Query::select()
            .column("line_item_id")
            .from(reservation::TABLE)
            .and_where(Expr::col("state").is_in(reservation::LIVE))
            .to_owned();
        let mut select = Query::select()
            .columns(["unfunded_since", "id"])
            .from(line_item::TABLE)
            .and_where(Expr::col("unfunded_since").lte(before.micros()))
            .and_where(Expr::col("id").not_in_subquery(live))
            .order_by("unfunded_since", Order::Asc)
            .order_by("id", Order::Asc)
            .limit(limit)
            .to_owned();
        if let Some(after) = after {
            let here = Expr::tuple(["unfunded_since", "id"].map(Expr::col));
            let values: [Value; 2] = [after.since.micros().into(), after.line_item.uuid().into()];
            select.and_where(here.gt(Expr::tuple(values.map(Expr::val))));
        }
        let select = &select;
        self.database()
            .read("unfunded_line_items", |conn| async move {
                let rows = conn.query_all(select).await?;
                let read = |row: &QueryResult| {
                    Ok(Waiting {
                        since: Timestamp::from_micros(row.try_get_by_index(0)?),
                        line_item: LineItemId::from_uuid(row.try_get_by_index(1)?),
                    })
                };
                rows.iter().map(read).collect()
            })
            .await
    }
}

/// The columns of a bucket's key, in the order of the index over them.
const KEY: [&str; 5] = [
    "line_item_id",
    "period",
    "terms_version",
    "ad_unit_id",
    "rev_share_id",
];

fn charges(filter: &ChargeFilter, after: Option<BucketKey>, limit: u64) -> SelectStatement {
    let of = |column| Expr::col((bucket::TABLE, column));
    let mut select = whole::select();
    if let Some(key) = after {
        let values: [Value; 5] = [
            key.line_item.uuid().into(),
            key.period.index().into(),
            key.terms_version.into(),
            key.ad_unit.uuid().into(),
            key.rev_share.uuid().into(),
        ];
        let here = Expr::tuple(KEY.map(of));
        select.and_where(here.gt(Expr::tuple(values.map(Expr::val))));
    }
    if let Some(id) = filter.line_item {
        select.and_where(of("line_item_id").eq(id.uuid()));
    }
    if let Some(id) = filter.publisher {
        select.and_where(of("publisher_id").eq(id.uuid()));
    }
    if let Some(period) = filter.period {
        select.and_where(of("period").eq(period.index()));
    }
    let owners = [
        ("campaign_id", filter.campaign.map(CampaignId::uuid)),
        ("advertiser_id", filter.advertiser.map(AdvertiserId::uuid)),
    ];
    for (column, id) in owners {
        if let Some(id) = id {
            let items = Query::select()
                .column("id")
                .from(line_item::TABLE)
                .and_where(Expr::col(column).eq(id))
                .to_owned();
            select.and_where(of("line_item_id").in_subquery(items));
        }
    }
    for column in KEY {
        select.order_by((bucket::TABLE, column), Order::Asc);
    }
    select.limit(limit).to_owned()
}
