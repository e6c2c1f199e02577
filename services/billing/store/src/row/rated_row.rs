//! `rated_rows`.

use crate::error::StoreError;
use billing_domain::bucket::BucketId;
use billing_domain::delivery::RowId;
use billing_domain::rating_set::RatedRow;
use cleave_kernel::Timestamp;
use sea_orm::{QueryResult, Value};

pub(crate) const TABLE: &str = "rated_rows";
pub(crate) const COLUMNS: [&str; 6] = ["id", "bucket_id", "source", "hour", "revision", "quantity"];

pub(crate) fn values(row: &RatedRow) -> [Value; 6] {
    [
        row.id.uuid().into(),
        row.bucket.uuid().into(),
        row.source.clone().into(),
        row.hour.micros().into(),
        row.revision.into(),
        row.quantity.into(),
    ]
}

pub(crate) fn read(row: &QueryResult) -> Result<RatedRow, StoreError> {
    Ok(RatedRow {
        id: RowId::from_uuid(row.try_get_by_index(0)?),
        bucket: BucketId::from_uuid(row.try_get_by_index(1)?),
        source: row.try_get_by_index(2)?,
        hour: Timestamp::from_micros(row.try_get_by_index(3)?),
        revision: row.try_get_by_index(4)?,
        quantity: row.try_get_by_index(5)?,
    })
}
