//! Delivery rows as Operations reports them: cumulative counts per hour, with a revision.

use crate::terms::PricingModel;
use cleave_kernel::{AdUnitId, LineItemId, Timestamp};
use serde::{Deserialize, Serialize};
use std::fmt;
use uuid::Uuid;

/// Names a row: what one source counted for a line item's terms on an ad unit in an hour.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct DeliveryKey {
    /// Who counted.
    pub source: String,
    /// The line item.
    pub line_item: LineItemId,
    /// The version of its terms.
    pub terms_version: i64,
    /// The ad unit.
    pub ad_unit: AdUnitId,
    /// Start of the hour.
    pub hour: Timestamp,
}

impl DeliveryKey {
    /// The row's id: the same for the same key, for ever, and in the order of the hours, so that rows of one hour
    /// lie together in the database.
    pub fn id(&self) -> RowId {
        let mut name = Vec::with_capacity(56 + self.source.len());
        name.extend_from_slice(self.line_item.uuid().as_bytes());
        name.extend_from_slice(self.ad_unit.uuid().as_bytes());
        name.extend_from_slice(&self.terms_version.to_be_bytes());
        name.extend_from_slice(&self.hour.micros().to_be_bytes());
        name.extend_from_slice(self.source.as_bytes());
        let mut bytes = Uuid::new_v5(&ROWS, &name).into_bytes();
        let millis = self.hour.micros().div_euclid(1000).to_be_bytes();
        bytes[..6].copy_from_slice(&millis[2..]);
        bytes[6] = (bytes[6] & 0x0f) | 0x80;
        RowId(Uuid::from_bytes(bytes))
    }
}

impl fmt::Display for DeliveryKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{}/{}@{}/{}/{}",
            self.source, self.line_item, self.terms_version, self.ad_unit, self.hour
        )
    }
}

/// The namespace of row ids. Never changes: ids follow from it.
const ROWS: Uuid = Uuid::from_u128(0x2c1e_5f0a_93b7_4e0d_8a55_64f2_09d1_7c3b);

/// A delivery key as one column.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct RowId(Uuid);

impl RowId {
    /// The id behind a stored UUID.
    pub const fn from_uuid(uuid: Uuid) -> Self {
        Self(uuid)
    }

    /// The UUID to store.
    pub const fn uuid(self) -> Uuid {
        self.0
    }
}

impl RowId {
    /// The id of a row whose key cannot be read: the same for the same bytes, for ever.
    pub fn of_unreadable(bytes: &[u8]) -> Self {
        Self(Uuid::new_v5(&ROWS, bytes))
    }
}

/// What was counted in the hour so far: totals, not differences.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct DeliveryCounts {
    /// Ads asked for.
    pub requests: i64,
    /// Ads shown.
    pub impressions: i64,
    /// Of these, seen.
    pub viewable_impressions: i64,
    /// Ads clicked on.
    pub clicks: i64,
    /// Installs that followed.
    pub installs: i64,
    /// Other actions that followed.
    pub actions: i64,
    /// Impressions that do not count, included in impressions.
    pub invalid_impressions: i64,
    /// Clicks that do not count, included in clicks.
    pub invalid_clicks: i64,
    /// What the inventory cost, in micros.
    pub media_cost: i64,
}

impl fmt::Display for DeliveryCounts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "requests={} impressions={} viewable_impressions={} clicks={} installs={} actions={} \
             invalid_impressions={} invalid_clicks={} media_cost_micros={}",
            self.requests,
            self.impressions,
            self.viewable_impressions,
            self.clicks,
            self.installs,
            self.actions,
            self.invalid_impressions,
            self.invalid_clicks,
            self.media_cost
        )
    }
}

impl DeliveryCounts {
    /// How much of the counts is charged for under `model`; `None` when the counts contradict themselves.
    pub fn billable(&self, model: PricingModel) -> Option<i64> {
        let quantity = match model {
            PricingModel::Cpm | PricingModel::Flat | PricingModel::Cpd => {
                return valid(self.impressions, self.invalid_impressions);
            }
            PricingModel::Cpc => return valid(self.clicks, self.invalid_clicks),
            PricingModel::Vcpm => self.viewable_impressions,
            PricingModel::Cpi => self.installs,
            PricingModel::Cpa => self.actions,
            PricingModel::CostPlus => self.media_cost,
        };
        (quantity >= 0).then_some(quantity)
    }
}

fn valid(all: i64, invalid: i64) -> Option<i64> {
    (0 <= invalid && invalid <= all).then(|| all - invalid)
}

/// A row as reported.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct DeliveryRow {
    /// What it is about.
    pub key: DeliveryKey,
    /// Counts the reports of the key; a higher one replaces a lower.
    pub revision: i64,
    /// The totals.
    pub counts: DeliveryCounts,
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(source: &str, hour: i64) -> DeliveryKey {
        DeliveryKey {
            source: source.to_owned(),
            line_item: LineItemId::from_uuid(Uuid::from_u128(1)),
            terms_version: 1,
            ad_unit: AdUnitId::from_uuid(Uuid::from_u128(2)),
            hour: Timestamp::from_micros(hour * 3_600_000_000),
        }
    }

    #[test]
    fn ids_follow_from_keys_and_sort_by_hour() {
        assert_eq!(key("own", 480_000).id(), key("own", 480_000).id());
        assert_ne!(key("own", 480_000).id(), key("mmp", 480_000).id());
        assert!(key("own", 480_000).id() < key("mmp", 480_001).id());
        assert!(key("mmp", 480_000).id() < key("own", 480_001).id());
    }

    #[test]
    fn counts_that_contradict_themselves_bill_nothing() {
        let counts = DeliveryCounts {
            impressions: 10,
            invalid_impressions: 11,
            clicks: i64::MIN,
            invalid_clicks: 1,
            media_cost: -1,
            viewable_impressions: 3,
            ..DeliveryCounts::default()
        };
        assert_eq!(counts.billable(PricingModel::Cpm), None);
        assert_eq!(counts.billable(PricingModel::Cpc), None);
        assert_eq!(counts.billable(PricingModel::CostPlus), None);
        assert_eq!(counts.billable(PricingModel::Vcpm), Some(3));
    }
}
