//! `unreadable_rows`.

use crate::error::StoreError;
use billing_domain::delivery::RowId;
use billing_domain::parked_row::{Quarantined, UnreadableRow};
use cleave_kernel::Timestamp;
use sea_orm::{QueryResult, Value};

pub(crate) const TABLE: &str = "unreadable_rows";
pub(crate) const COLUMNS: [&str; 12] = [
    "id",
    "source",
    "line_item",
    "terms_version",
    "ad_unit",
    "hour",
    "revision",
    "content",
    "problem",
    "parked_at",
    "seen_at",
    "times",
];

pub(crate) fn values(kept: &Quarantined) -> [Value; 12] {
    let row = &kept.row;
    [
        row.id.uuid().into(),
        row.source.clone().into(),
        row.line_item.clone().into(),
        row.terms_version.into(),
        row.ad_unit.clone().into(),
        row.hour.micros().into(),
        row.revision.into(),
        row.content.clone().into(),
        row.problem.clone().into(),
        kept.parked_at.micros().into(),
        kept.seen_at.micros().into(),
        kept.times.into(),
    ]
}

pub(crate) fn read(row: &QueryResult) -> Result<Quarantined, StoreError> {
    let time = |at: usize| row.try_get_by_index(at).map(Timestamp::from_micros);
    Ok(Quarantined {
        row: UnreadableRow {
            id: RowId::from_uuid(row.try_get_by_index(0)?),
            source: row.try_get_by_index(1)?,
            line_item: row.try_get_by_index(2)?,
            terms_version: row.try_get_by_index(3)?,
            ad_unit: row.try_get_by_index(4)?,
            hour: time(5)?,
            revision: row.try_get_by_index(6)?,
            content: row.try_get_by_index(7)?,
            problem: row.try_get_by_index(8)?,
        },
        parked_at: time(9)?,
        seen_at: time(10)?,
        times: row.try_get_by_index(11)?,
    })
}
