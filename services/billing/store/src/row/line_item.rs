//! `line_items`: what a line item comes to over its whole life, and where the money came from.

use super::{amounts, currency};
use crate::error::StoreError;
use billing_domain::funding::Funding;
use billing_domain::rating::Reach;
use billing_domain::rating_set::LineItemTotals;
use cleave_kernel::{AdvertiserId, CampaignId, LineItemId, Micros, Timestamp};
use sea_orm::{QueryResult, Value};

pub(crate) const TABLE: &str = "line_items";
pub(crate) const COLUMNS: [&str; 14] = [
    "id",
    "campaign_id",
    "advertiser_id",
    "currency",
    "reach",
    "served",
    "billed",
    "earned",
    "revenue",
    "absorbed",
    "charged",
    "unfunded",
    "written_off",
    "unfunded_since",
];

pub(crate) fn values(totals: &LineItemTotals) -> [Value; 14] {
    [
        totals.line_item.uuid().into(),
        totals.campaign.uuid().into(),
        totals.advertiser.uuid().into(),
        totals.currency.code().into(),
        totals.reach.number().into(),
        totals.amounts.served.get().into(),
        totals.amounts.billed.get().into(),
        totals.amounts.earned.get().into(),
        totals.amounts.revenue.get().into(),
        totals.amounts.absorbed.get().into(),
        totals.funding.charged.get().into(),
        totals.funding.unfunded.get().into(),
        totals.funding.written_off.get().into(),
        totals.unfunded_since.map(Timestamp::micros).into(),
    ]
}

pub(crate) fn read(row: &QueryResult) -> Result<LineItemTotals, StoreError> {
    let micros = |at: usize| row.try_get_by_index(at).map(Micros::new);
    Ok(LineItemTotals {
        line_item: LineItemId::from_uuid(row.try_get_by_index(0)?),
        campaign: CampaignId::from_uuid(row.try_get_by_index(1)?),
        advertiser: AdvertiserId::from_uuid(row.try_get_by_index(2)?),
        currency: currency(&row.try_get_by_index::<String>(3)?)?,
        reach: Reach::from_number(row.try_get_by_index(4)?),
        amounts: amounts(row, 5)?,
        funding: Funding {
            charged: micros(10)?,
            unfunded: micros(11)?,
            written_off: micros(12)?,
        },
        unfunded_since: row
            .try_get_by_index::<Option<i64>>(13)?
            .map(Timestamp::from_micros),
    })
}
