//! Buckets: what rows are summed into before they are priced. The sums, and so the prices, depend on the set of rows
//! alone, whatever their order or batching.

use crate::account::{Account, OpsRef};
use crate::period::Period;
use crate::rating::Amounts;
use crate::rev_share::RevShare;
use crate::terms::Terms;
use cleave_kernel::{AccountId, AdUnitId, LineItemId, Overflow, RevShareId, Timestamp};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;
use uuid::Uuid;

/// Names a bucket.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct BucketKey {
    /// The line item.
    pub line_item: LineItemId,
    /// The version of its terms.
    pub terms_version: i64,
    /// The ad unit.
    pub ad_unit: AdUnitId,
    /// The version of the revenue share.
    pub rev_share: RevShareId,
    /// The accounting month of the delivery.
    pub period: Period,
}

impl BucketKey {
    /// The bucket's id: the same for the same key, for ever.
    pub fn id(&self) -> BucketId {
        let mut name = [0_u8; 60];
        name[..16].copy_from_slice(self.line_item.uuid().as_bytes());
        name[16..32].copy_from_slice(self.ad_unit.uuid().as_bytes());
        name[32..48].copy_from_slice(self.rev_share.uuid().as_bytes());
        name[48..56].copy_from_slice(&self.terms_version.to_be_bytes());
        name[56..].copy_from_slice(&self.period.index().to_be_bytes());
        BucketId(Uuid::new_v5(&BUCKETS, &name))
    }
}

impl fmt::Display for BucketKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{}@{}/{}/{}/{}",
            self.line_item, self.terms_version, self.ad_unit, self.rev_share, self.period
        )
    }
}

/// The namespace of bucket ids. Never changes: ids follow from it.
const BUCKETS: Uuid = Uuid::from_u128(0x71d3_0b4e_6a2f_4c19_b8e4_05f7_5c2a_e961);

/// A bucket key as one column.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct BucketId(Uuid);

impl BucketId {
    /// The id behind a stored UUID.
    pub const fn from_uuid(uuid: Uuid) -> Self {
        Self(uuid)
    }

    /// The UUID to store.
    pub const fn uuid(self) -> Uuid {
        self.0
    }
}

/// The impressions of each civil day of a bucket's month; kept only where days are charged for.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct DayCounts(BTreeMap<u8, i64>);

impl DayCounts {
    /// The days that saw an impression.
    pub fn days(&self) -> impl Iterator<Item = u8> {
        self.0.keys().copied()
    }

    /// Adds `delta` impressions to `day`; a day without any is forgotten.
    ///
    /// # Errors
    /// When the sum does not fit.
    pub fn add(&mut self, day: u8, delta: i64) -> Result<(), Overflow> {
        let count = self.0.get(&day).copied().unwrap_or(0);
        match count.checked_add(delta).ok_or(Overflow)? {
            0 => self.0.remove(&day),
            sum => self.0.insert(day, sum),
        };
        Ok(())
    }

    /// The text to store: `1:500,2:30`.
    pub fn encode(&self) -> String {
        let days: Vec<_> = self.0.iter().map(|(day, n)| format!("{day}:{n}")).collect();
        days.join(",")
    }

    /// The counts behind a stored text; `None` when it is none.
    pub fn decode(text: &str) -> Option<Self> {
        let parse = |part: &str| {
            let (day, count) = part.split_once(':')?;
            Some((day.parse().ok()?, count.parse().ok()?))
        };
        let parts = text.split(',').filter(|part| !part.is_empty());
        parts.map(parse).collect::<Option<_>>().map(Self)
    }
}

/// What the rows of a bucket sum to.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Measure {
    /// Sum of the billable quantities.
    pub quantity: i64,
    /// How many rows there are.
    pub rows: i64,
    /// The impressions of each day, where days are charged for.
    pub days: DayCounts,
}

/// What everything in a bucket is rated by.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Basis {
    /// The bucket.
    pub key: BucketKey,
    /// Its id.
    pub id: BucketId,
    /// The terms that were served.
    pub terms: Arc<Terms>,
    /// What the publisher earns.
    pub rev_share: Arc<RevShare>,
    /// The account that is charged.
    pub advertiser: AccountId,
    /// The account that earns.
    pub publisher: AccountId,
}

impl Basis {
    /// The bucket of delivery in `period` under `terms` and `rev_share`.
    pub fn new(terms: Arc<Terms>, rev_share: Arc<RevShare>, period: Period) -> Self {
        let key = BucketKey {
            line_item: terms.line_item,
            terms_version: terms.version,
            ad_unit: rev_share.ad_unit,
            rev_share: rev_share.id,
            period,
        };
        Self {
            key,
            id: key.id(),
            advertiser: Account::id_of(OpsRef::Advertiser(terms.advertiser)),
            publisher: Account::id_of(OpsRef::Publisher(rev_share.publisher)),
            terms,
            rev_share,
        }
    }
}

/// A bucket as it stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Bucket {
    /// What it is rated by.
    pub basis: Arc<Basis>,
    /// What its rows sum to.
    pub measure: Measure,
    /// What that comes to.
    pub amounts: Amounts,
    /// When it was last rated.
    pub updated_at: Timestamp,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn day_counts_survive_storage_and_forget_empty_days() {
        let mut days = DayCounts::default();
        days.add(31, 5).unwrap();
        days.add(2, 7).unwrap();
        days.add(2, -7).unwrap();
        assert_eq!(days.encode(), "31:5");
        assert_eq!(DayCounts::decode("31:5"), Some(days));
        assert_eq!(DayCounts::decode(""), Some(DayCounts::default()));
        assert_eq!(DayCounts::decode("x"), None);
        assert!(DayCounts::default().add(1, i64::MAX).is_ok());
    }
}
