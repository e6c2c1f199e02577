//! The digest of delivery rows, as the contract defines it, for those who check what they received.
//!
//! The sum modulo 2^256 of a SHA-256 per row: free of order and batches.

use prost_types::Timestamp;
use sha2::{Digest, Sha256};
use type_safe_id::{DynamicType, TypeSafeId};

use crate::pb;

/// Begins the canonical bytes of a row.
const DOMAIN: &[u8] = b"cleave.operations.v1.DeliveryRow";

/// The digest of a set of rows; `None` when one of them is not a row, for want of a key or counts.
#[must_use]
pub fn of_rows<'a>(rows: impl IntoIterator<Item = &'a pb::DeliveryRow>) -> Option<[u8; 32]> {
    rows.into_iter().try_fold([0; 32], |mut sum, row| {
        add(&mut sum, of_row(row)?);
        Some(sum)
    })
}

fn of_row(row: &pb::DeliveryRow) -> Option<[u8; 32]> {
    let key = row.key.as_ref()?;
    let counts = row.counts.as_ref()?;
    let source = key.source.as_bytes();
    let mut hash = Sha256::new();
    hash.update(DOMAIN);
    hash.update(u16::try_from(source.len()).ok()?.to_be_bytes());
    hash.update(source);
    hash.update(uuid_of(&key.line_item_id)?);
    hash.update(key.terms_version.to_be_bytes());
    hash.update(uuid_of(&key.ad_unit_id)?);
    hash.update(micros_of(key.hour.as_ref()?)?.to_be_bytes());
    hash.update(row.revision.to_be_bytes());
    let counts = [
        counts.requests,
        counts.impressions,
        counts.viewable_impressions,
        counts.clicks,
        counts.installs,
        counts.actions,
        counts.invalid_impressions,
        counts.invalid_clicks,
        counts.media_cost_micros,
    ];
    for count in counts {
        hash.update(count.to_be_bytes());
    }
    Some(hash.finalize().into())
}

fn add(sum: &mut [u8; 32], more: [u8; 32]) {
    let mut carry = 0;
    for (byte, more) in sum.iter_mut().zip(more).rev() {
        let total = u16::from(*byte) + u16::from(more) + carry;
        let [high, low] = total.to_be_bytes();
        *byte = low;
        carry = u16::from(high);
    }
}

fn uuid_of(id: &str) -> Option<[u8; 16]> {
    let id: TypeSafeId<DynamicType> = id.parse().ok()?;
    Some(*id.uuid().as_bytes())
}

fn micros_of(time: &Timestamp) -> Option<i64> {
    time.seconds
        .checked_mul(1_000_000)?
        .checked_add(i64::from(time.nanos) / 1000)
}

#[cfg(test)]
mod tests {
    use super::*;
    use uuid::Uuid;

    fn id(prefix: &str, number: u128) -> String {
        let prefix = DynamicType::new(prefix).expect("a valid prefix");
        TypeSafeId::from_type_and_uuid(prefix, Uuid::from_u128(number)).to_string()
    }

    fn row() -> pb::DeliveryRow {
        pb::DeliveryRow {
            key: Some(pb::DeliveryKey {
                source: "adserver".to_owned(),
                line_item_id: id("line", 1),
                terms_version: 2,
                ad_unit_id: id("unit", 3),
                hour: Some(Timestamp {
                    seconds: 3600,
                    nanos: 0,
                }),
            }),
            revision: 5,
            counts: Some(pb::DeliveryCounts {
                requests: 1,
                impressions: 2,
                viewable_impressions: 3,
                clicks: 4,
                installs: 5,
                actions: 6,
                invalid_impressions: 7,
                invalid_clicks: 8,
                media_cost_micros: 9,
            }),
            ..Default::default()
        }
    }

    #[test]
    fn the_canonical_bytes_are_those_of_the_contract() {
        let digest = of_rows([&row()]).expect("a whole row");
        let text: String = digest.iter().map(|byte| format!("{byte:02x}")).collect();
        assert_eq!(
            text,
            "e162b7e076e33df44800f07654012a6557665284ecfffe6f048f273ec8d474fe"
        );
    }

    #[test]
    fn the_order_of_rows_does_not_matter() {
        let other = pb::DeliveryRow {
            revision: 6,
            ..row()
        };
        assert_eq!(of_rows([&row(), &other]), of_rows([&other, &row()]));
        assert_eq!(of_rows([&pb::DeliveryRow::default()]), None);
    }
}
