//! `bucket_totals`: what a bucket comes to. Written with every rating.

use super::amounts;
use crate::error::StoreError;
use billing_domain::bucket::{Basis, Bucket, BucketId, DayCounts, Measure};
use billing_domain::rating::Amounts;
use cleave_kernel::Timestamp;
use sea_orm::{QueryResult, Value};
use std::sync::Arc;

pub(crate) const TABLE: &str = "bucket_totals";
pub(crate) const COLUMNS: [&str; 10] = [
    "id",
    "quantity",
    "row_count",
    "days",
    "served",
    "billed",
    "earned",
    "revenue",
    "absorbed",
    "updated_at",
];

/// What a bucket comes to, without what it is rated by.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct BucketTotal {
    pub(crate) id: BucketId,
    pub(crate) measure: Measure,
    pub(crate) amounts: Amounts,
    pub(crate) updated_at: Timestamp,
}

impl BucketTotal {
    /// The bucket of `basis`.
    pub(crate) fn with(self, basis: Arc<Basis>) -> Bucket {
        Bucket {
            basis,
            measure: self.measure,
            amounts: self.amounts,
            updated_at: self.updated_at,
        }
    }
}

pub(crate) fn values(bucket: &Bucket) -> [Value; 10] {
    [
        bucket.basis.id.uuid().into(),
        bucket.measure.quantity.into(),
        bucket.measure.rows.into(),
        bucket.measure.days.encode().into(),
        bucket.amounts.served.get().into(),
        bucket.amounts.billed.get().into(),
        bucket.amounts.earned.get().into(),
        bucket.amounts.revenue.get().into(),
        bucket.amounts.absorbed.get().into(),
        bucket.updated_at.micros().into(),
    ]
}

/// Reads the columns of the table from the column `at` on.
pub(crate) fn read(row: &QueryResult, at: usize) -> Result<BucketTotal, StoreError> {
    let days: String = row.try_get_by_index(at + 3)?;
    Ok(BucketTotal {
        id: BucketId::from_uuid(row.try_get_by_index(at)?),
        measure: Measure {
            quantity: row.try_get_by_index(at + 1)?,
            rows: row.try_get_by_index(at + 2)?,
            days: DayCounts::decode(&days)
                .ok_or_else(|| StoreError::corrupt(format!("bucket_totals.days is {days:?}")))?,
        },
        amounts: amounts(row, at + 4)?,
        updated_at: Timestamp::from_micros(row.try_get_by_index(at + 9)?),
    })
}
