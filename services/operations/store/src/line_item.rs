//! Rows of line items.

use cleave_kernel::{AdvertiserId, CampaignId, LineItemId, Micros};
use cleave_storage::StorageError;
use operations_domain::named::Named;
use operations_domain::{Kind, Limits, LineItem, LineItemState, Stamp};
use sea_orm::sea_query::{Expr, ExprTrait, Query};
use sea_orm::{ConnectionTrait, Value};

use crate::record::{Record, UniqueKey, record_head};
use crate::row::{Row, at, currency, maybe_at, maybe_micros, maybe_text, name};
use crate::topic::Topic;
use crate::unit::Unit;

impl Record for LineItem {
    const TABLE: &'static str = "line_items";
    const KIND: Kind = Kind::LineItem;
    const TOPIC: Topic = Topic::LineItem;
    const COLUMNS: &'static [&'static str] = &[
        "campaign_id",
        "advertiser_id",
        "display_name",
        "external_ref",
        "kind",
        "priority",
        "currency",
        "starts_at",
        "ends_at",
        "goal",
        "daily_cap",
        "lifetime_cap",
        "pacing",
        "state",
        "terms_version",
    ];

    record_head!(LineItemId);

    fn record_stamp(&self) -> Stamp {
        self.stamp
    }

    fn values(&self) -> Vec<Value> {
        vec![
            self.campaign_id.uuid().into(),
            self.advertiser_id.uuid().into(),
            self.display_name.clone().into(),
            maybe_text(self.external_ref.as_ref()),
            name(self.kind),
            i64::from(self.priority).into(),
            currency(self.currency),
            at(self.flight.starts_at),
            maybe_at(self.flight.ends_at),
            self.limits.goal.into(),
            maybe_micros(self.limits.daily_cap),
            maybe_micros(self.limits.lifetime_cap),
            name(self.pacing),
            name(self.state),
            self.terms_version.into(),
        ]
    }

    fn unique_keys(&self) -> Vec<UniqueKey> {
        let external_ref = self.external_ref.as_ref().map(|external_ref| UniqueKey {
            field: "external_ref",
            columns: vec![
                ("campaign_id", self.campaign_id.uuid().into()),
                ("external_ref", external_ref.clone().into()),
            ],
        });
        external_ref.into_iter().collect()
    }

    fn read(id: LineItemId, stamp: Stamp, row: &mut Row<'_>) -> Result<Self, StorageError> {
        Ok(Self {
            id,
            stamp,
            campaign_id: CampaignId::from_uuid(row.take()?),
            advertiser_id: AdvertiserId::from_uuid(row.take()?),
            display_name: row.take()?,
            external_ref: row.take()?,
            kind: row.parse()?,
            priority: row.number()?,
            currency: row.parse()?,
            flight: row.flight()?,
            limits: Limits {
                goal: row.take()?,
                daily_cap: row.maybe_micros()?,
                lifetime_cap: row.maybe_micros()?,
            },
            pacing: row.parse()?,
            state: row.parse()?,
            terms_version: row.take()?,
        })
    }
}

/// What the line items of a campaign may spend in all, without that of `except`. To be read with the campaign
/// locked, so that the sum stands until the transaction ends.
///
/// # Errors
/// When the database fails.
pub async fn caps_of(
    unit: &Unit,
    campaign: CampaignId,
    except: Option<LineItemId>,
) -> Result<Micros, StorageError> {
    let select = Query::select()
        .columns(["id", "lifetime_cap"])
        .from(LineItem::TABLE)
        .and_where(Expr::col("campaign_id").eq(campaign.uuid()))
        .and_where(Expr::col("state").ne(LineItemState::Removed.name()))
        .and_where(Expr::col("lifetime_cap").is_not_null())
        .to_owned();
    let mut caps = Vec::new();
    for row in unit.query_all(&select).await? {
        let mut row = Row::new(&row);
        let id = LineItemId::from_uuid(row.take()?);
        if except != Some(id) {
            caps.push(row.micros()?);
        }
    }
    // Caps that do not fit into a number do not fit into any budget either.
    Ok(Micros::checked_sum(caps).unwrap_or(Micros::MAX))
}

/// Whether a campaign has a line item that could run.
///
/// # Errors
/// When the database fails.
pub async fn any_with_terms(unit: &Unit, campaign: CampaignId) -> Result<bool, StorageError> {
    let select = Query::select()
        .column("id")
        .from(LineItem::TABLE)
        .and_where(Expr::col("campaign_id").eq(campaign.uuid()))
        .and_where(Expr::col("state").ne(LineItemState::Removed.name()))
        .and_where(Expr::col("terms_version").gt(0_i64))
        .limit(1)
        .to_owned();
    Ok(unit.query_one(&select).await?.is_some())
}
