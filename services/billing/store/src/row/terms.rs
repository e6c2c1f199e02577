//! `terms`: the versions of terms that something was rated by.

use super::currency;
use crate::error::StoreError;
use billing_domain::terms::{OverdeliveryPolicy, PricingModel, Terms};
use cleave_kernel::{AdvertiserId, CampaignId, LineItemId, Micros, Timestamp};
use sea_orm::{QueryResult, Value};
use uuid::Uuid;

pub(crate) const TABLE: &str = "terms";
pub(crate) const COLUMNS: [&str; 12] = [
    "id",
    "line_item_id",
    "version",
    "campaign_id",
    "advertiser_id",
    "currency",
    "model",
    "rate",
    "unit",
    "billing_cap",
    "overdelivery",
    "effective_at",
];

/// The key of a version: the same for the same version, for ever.
pub(crate) fn id(line_item: LineItemId, version: i64) -> Uuid {
    Uuid::new_v5(&line_item.uuid(), &version.to_be_bytes())
}

pub(crate) fn values(terms: &Terms) -> [Value; 12] {
    [
        id(terms.line_item, terms.version).into(),
        terms.line_item.uuid().into(),
        terms.version.into(),
        terms.campaign.uuid().into(),
        terms.advertiser.uuid().into(),
        terms.currency.code().into(),
        terms.model.number().into(),
        terms.rate.into(),
        terms.unit.into(),
        terms.billing_cap.map(Micros::get).into(),
        terms.overdelivery.number().into(),
        terms.effective_at.micros().into(),
    ]
}

/// Reads the columns of the table from the column `at` on.
pub(crate) fn read(row: &QueryResult, at: usize) -> Result<Terms, StoreError> {
    let (model, policy) = (
        row.try_get_by_index(at + 6)?,
        row.try_get_by_index(at + 10)?,
    );
    Ok(Terms {
        line_item: LineItemId::from_uuid(row.try_get_by_index(at + 1)?),
        version: row.try_get_by_index(at + 2)?,
        campaign: CampaignId::from_uuid(row.try_get_by_index(at + 3)?),
        advertiser: AdvertiserId::from_uuid(row.try_get_by_index(at + 4)?),
        currency: currency(&row.try_get_by_index::<String>(at + 5)?)?,
        model: PricingModel::from_number(model)
            .ok_or_else(|| StoreError::corrupt(format!("terms.model is {model}")))?,
        rate: row.try_get_by_index(at + 7)?,
        unit: row.try_get_by_index(at + 8)?,
        billing_cap: row.try_get_by_index::<Option<_>>(at + 9)?.map(Micros::new),
        overdelivery: OverdeliveryPolicy::from_number(policy)
            .ok_or_else(|| StoreError::corrupt(format!("terms.overdelivery is {policy}")))?,
        effective_at: Timestamp::from_micros(row.try_get_by_index(at + 11)?),
    })
}
