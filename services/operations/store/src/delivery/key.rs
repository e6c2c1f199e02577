//! The primary key of a row: 4 bytes of hour and 12 of a hash over the rest of its key.
//!
//! One short column instead of five keeps lookups by key to one bound value each. The hour comes first, so
//! that the rows of an hour lie together: a report touches few pages, and a range of hours is a range of keys.
//! Two keys of one hour share a hash with a chance of one in 2^96.

use cleave_kernel::Timestamp;
use operations_domain::delivery::DeliveryKey;
use sha2::{Digest, Sha256};
use uuid::Uuid;

const HOUR_MICROS: i64 = 3_600_000_000;

/// The primary key of the row `key`.
pub(super) fn row_id(key: &DeliveryKey) -> Uuid {
    let mut hash = Sha256::new();
    hash.update(key.line_item.uuid().as_bytes());
    hash.update(key.ad_unit.uuid().as_bytes());
    hash.update(key.terms_version.to_be_bytes());
    // Last, since it alone has no fixed length.
    hash.update(key.source.as_str());
    let digest = hash.finalize();
    let mut id = [0; 16];
    id[..4].copy_from_slice(&hour_number(key.hour).to_be_bytes());
    id[4..].copy_from_slice(&digest[..12]);
    Uuid::from_bytes(id)
}

/// The least primary key that a row of `hour` or later can have.
pub(super) fn least_id(hour: Timestamp) -> Uuid {
    let mut id = [0; 16];
    // An instant within an hour bounds as the next hour does: its own hour begins before it.
    let after = hour.micros().div_euclid(HOUR_MICROS) + i64::from(!hour.starts_hour());
    id[..4].copy_from_slice(&clamp(after).to_be_bytes());
    Uuid::from_bytes(id)
}

/// Hours since the epoch. Rows lie between the year 2000 and now, far within 32 bits.
fn hour_number(hour: Timestamp) -> u32 {
    clamp(hour.micros().div_euclid(HOUR_MICROS))
}

fn clamp(hour: i64) -> u32 {
    u32::try_from(hour.max(0)).unwrap_or(u32::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;
    use cleave_kernel::{AdUnitId, LineItemId};
    use operations_domain::delivery::SourceName;

    fn key(hour: i64, source: &str) -> DeliveryKey {
        DeliveryKey {
            source: SourceName::new(source).unwrap(),
            line_item: LineItemId::from_uuid(Uuid::from_u128(1)),
            terms_version: 1,
            ad_unit: AdUnitId::from_uuid(Uuid::from_u128(2)),
            hour: Timestamp::from_micros(hour * HOUR_MICROS),
        }
    }

    #[test]
    fn given_keys_then_their_ids_sort_by_hour_and_differ() {
        let early = row_id(&key(400_000, "a"));
        assert!(early < row_id(&key(400_001, "a")));
        assert_ne!(early, row_id(&key(400_000, "b")));
        assert_eq!(early, row_id(&key(400_000, "a")));
    }

    #[test]
    fn given_an_hour_then_its_bound_parts_earlier_from_later_rows() {
        let bound = least_id(Timestamp::from_micros(400_000 * HOUR_MICROS));
        assert!(row_id(&key(399_999, "a")) < bound);
        assert!(bound <= row_id(&key(400_000, "a")));
        let within = least_id(Timestamp::from_micros(400_000 * HOUR_MICROS + 1));
        assert!(row_id(&key(400_000, "a")) < within);
    }
}
