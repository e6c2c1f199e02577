//! `written_off_rows`: the record of every row that was let go, one per revision.

use crate::error::StoreError;
use billing_domain::delivery::RowId;
use billing_domain::parked_row::ParkReason;
use billing_domain::write_off::WrittenOffRow;
use cleave_kernel::Timestamp;
use sea_orm::{QueryResult, Value};
use uuid::Uuid;

pub(crate) const TABLE: &str = "written_off_rows";
pub(crate) const COLUMNS: [&str; 15] = [
    "id",
    "row_id",
    "revision",
    "source",
    "line_item",
    "terms_version",
    "ad_unit",
    "hour",
    "content",
    "obstacle",
    "detail",
    "rated",
    "reason",
    "actor",
    "created_at",
];

/// The key of a record: the same for the same revision of the same row, for ever.
pub(crate) fn id(row: RowId, revision: i64) -> Uuid {
    Uuid::new_v5(&row.uuid(), &revision.to_be_bytes())
}

pub(crate) fn values(row: &WrittenOffRow) -> [Value; 15] {
    [
        id(row.id, row.revision).into(),
        row.id.uuid().into(),
        row.revision.into(),
        row.source.clone().into(),
        row.line_item.clone().into(),
        row.terms_version.into(),
        row.ad_unit.clone().into(),
        row.hour.micros().into(),
        row.content.clone().into(),
        row.obstacle.number().into(),
        row.detail.clone().into(),
        i16::from(row.rated).into(),
        row.reason.clone().into(),
        row.actor.clone().into(),
        row.created_at.micros().into(),
    ]
}

pub(crate) fn read(row: &QueryResult) -> Result<WrittenOffRow, StoreError> {
    let time = |at: usize| row.try_get_by_index(at).map(Timestamp::from_micros);
    let obstacle = row.try_get_by_index(9)?;
    Ok(WrittenOffRow {
        id: RowId::from_uuid(row.try_get_by_index(1)?),
        revision: row.try_get_by_index(2)?,
        source: row.try_get_by_index(3)?,
        line_item: row.try_get_by_index(4)?,
        terms_version: row.try_get_by_index(5)?,
        ad_unit: row.try_get_by_index(6)?,
        hour: time(7)?,
        content: row.try_get_by_index(8)?,
        obstacle: ParkReason::from_number(obstacle).ok_or_else(|| {
            StoreError::corrupt(format!("written_off_rows.obstacle is {obstacle}"))
        })?,
        detail: row.try_get_by_index(10)?,
        rated: row.try_get_by_index::<i16>(11)? != 0,
        reason: row.try_get_by_index(12)?,
        actor: row.try_get_by_index(13)?,
        created_at: time(14)?,
    })
}
