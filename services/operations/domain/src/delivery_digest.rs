//! Fingerprints of delivery rows: equal for equal sets of rows, in whatever order, batch or place they are
//! summed, so that both sides can compare what they hold.
//!
//! A row is hashed with SHA-256 over its canonical bytes; the digest of a set is the sum of the hashes of its
//! rows modulo 2^256, big-endian. Sums of disjoint sets add up to the sum of their union.

use crate::delivery::{DeliveryCounts, DeliveryKey};
use sha2::{Digest, Sha256};
use std::fmt;

/// Begins the canonical bytes of a row, so that they collide with nothing else that is hashed.
const DOMAIN: &[u8] = b"cleave.operations.v1.DeliveryRow";

/// The digest of a set of rows.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Default)]
pub struct DeliveryDigest([u8; 32]);

impl DeliveryDigest {
    /// The digest of one row: SHA-256 over the domain, then the length of the source's name (2 bytes) and the
    /// name, the line item's UUID, the terms version, the ad unit's UUID, the hour in microseconds since the
    /// epoch, the revision and the nine counts in the order of the contract; every number 8 bytes, big-endian,
    /// two's complement.
    pub fn of_row(key: &DeliveryKey, revision: i64, counts: &DeliveryCounts) -> Self {
        let source = key.source.as_str();
        let length = u16::try_from(source.len()).unwrap_or(u16::MAX);
        let mut hash = Sha256::new();
        hash.update(DOMAIN);
        hash.update(length.to_be_bytes());
        hash.update(source);
        hash.update(key.line_item.uuid().as_bytes());
        hash.update(key.terms_version.to_be_bytes());
        hash.update(key.ad_unit.uuid().as_bytes());
        hash.update(key.hour.micros().to_be_bytes());
        hash.update(revision.to_be_bytes());
        for count in counts.to_array() {
            hash.update(count.to_be_bytes());
        }
        Self(hash.finalize().into())
    }

    /// Adds the rows of a disjoint set.
    pub fn add(&mut self, other: Self) {
        let mut carry = 0_u16;
        for (byte, more) in self.0.iter_mut().zip(other.0).rev() {
            let sum = u16::from(*byte) + u16::from(more) + carry;
            let [high, low] = sum.to_be_bytes();
            *byte = low;
            carry = u16::from(high);
        }
    }

    /// The 32 bytes.
    pub const fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }
}

impl FromIterator<Self> for DeliveryDigest {
    fn from_iter<I: IntoIterator<Item = Self>>(rows: I) -> Self {
        let mut sum = Self::default();
        for row in rows {
            sum.add(row);
        }
        sum
    }
}

impl fmt::Debug for DeliveryDigest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for byte in self.0 {
            write!(f, "{byte:02x}")?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::delivery::SourceName;
    use cleave_kernel::{AdUnitId, LineItemId, Timestamp};
    use proptest::prelude::*;
    use uuid::Uuid;

    fn key() -> DeliveryKey {
        DeliveryKey {
            source: SourceName::new("adserver").unwrap(),
            line_item: LineItemId::from_uuid(Uuid::from_u128(1)),
            terms_version: 2,
            ad_unit: AdUnitId::from_uuid(Uuid::from_u128(3)),
            hour: Timestamp::from_micros(3_600_000_000),
        }
    }

    fn of(revision: i64) -> DeliveryDigest {
        DeliveryDigest::of_row(&key(), revision, &DeliveryCounts::default())
    }

    #[test]
    fn the_canonical_bytes_never_change() {
        let counts = DeliveryCounts::from_array([1, 2, 3, 4, 5, 6, 7, 8, 9]);
        let digest = DeliveryDigest::of_row(&key(), 5, &counts);
        // Computed independently: sha256 over the bytes that `of_row` documents.
        assert_eq!(
            format!("{digest:?}"),
            "e162b7e076e33df44800f07654012a6557665284ecfffe6f048f273ec8d474fe"
        );
    }

    #[test]
    fn every_part_of_a_row_matters() {
        let base = of(1);
        let other = |change: fn(&mut DeliveryKey)| {
            let mut key = key();
            change(&mut key);
            DeliveryDigest::of_row(&key, 1, &DeliveryCounts::default())
        };
        let others = [
            other(|key| key.source = SourceName::new("adserve").unwrap()),
            other(|key| key.line_item = LineItemId::from_uuid(Uuid::from_u128(2))),
            other(|key| key.terms_version = 3),
            other(|key| key.ad_unit = AdUnitId::from_uuid(Uuid::from_u128(4))),
            other(|key| key.hour = Timestamp::EPOCH),
            of(2),
        ];
        assert!(others.iter().all(|digest| *digest != base));
    }

    proptest! {
        #[test]
        fn order_and_partition_do_not_matter(revisions in prop::collection::vec(1_i64..1000, 0..40), cut in 0_usize..40) {
            let whole: DeliveryDigest = revisions.iter().map(|&revision| of(revision)).collect();
            let backwards: DeliveryDigest = revisions.iter().rev().map(|&revision| of(revision)).collect();
            let (left, right) = revisions.split_at(cut.min(revisions.len()));
            let mut parts: DeliveryDigest = left.iter().map(|&revision| of(revision)).collect();
            parts.add(right.iter().map(|&revision| of(revision)).collect());
            prop_assert_eq!(whole, backwards);
            prop_assert_eq!(whole, parts);
        }
    }
}
