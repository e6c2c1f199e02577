//! `parked_rows`.

use crate::error::StoreError;
use billing_domain::Period;
use billing_domain::delivery::{DeliveryKey, DeliveryRow, RowId};
use billing_domain::parked_row::{Obstacle, ParkReason, ParkedRow, RatedBy};
use cleave_kernel::{AdUnitId, LineItemId, RevShareId, Timestamp};
use sea_orm::{QueryResult, Value};

pub(crate) const TABLE: &str = "parked_rows";
pub(crate) const COLUMNS: [&str; 16] = [
    "id",
    "source",
    "line_item_id",
    "terms_version",
    "ad_unit_id",
    "hour",
    "revision",
    "counts",
    "reason",
    "detail",
    "parked_at",
    "tried_at",
    "tries",
    "rev_share_id",
    "period",
    "day",
];
/// Characters of a detail that are kept.
const DETAIL_LENGTH: usize = 500;

pub(crate) fn values(id: RowId, parked: &ParkedRow) -> Result<[Value; 16], StoreError> {
    let rated_by = parked.rated_by.as_ref();
    let key = &parked.row.key;
    let counts = serde_json::to_string(&parked.row.counts)
        .map_err(|error| StoreError::Broken(error.to_string()))?;
    let detail: String = parked.obstacle.detail.chars().take(DETAIL_LENGTH).collect();
    Ok([
        id.uuid().into(),
        key.source.clone().into(),
        key.line_item.uuid().into(),
        key.terms_version.into(),
        key.ad_unit.uuid().into(),
        key.hour.micros().into(),
        parked.row.revision.into(),
        counts.into(),
        parked.obstacle.reason.number().into(),
        detail.into(),
        parked.parked_at.micros().into(),
        parked.tried_at.micros().into(),
        parked.tries.into(),
        rated_by.map(|by| by.rev_share.uuid()).into(),
        rated_by.map(|by| by.period.index()).into(),
        rated_by.map(|by| i16::from(by.day)).into(),
    ])
}

pub(crate) fn read(row: &QueryResult) -> Result<(RowId, ParkedRow), StoreError> {
    let time = |at: usize| row.try_get_by_index(at).map(Timestamp::from_micros);
    let reason = row.try_get_by_index(8)?;
    let parked = ParkedRow {
        row: DeliveryRow {
            key: DeliveryKey {
                source: row.try_get_by_index(1)?,
                line_item: LineItemId::from_uuid(row.try_get_by_index(2)?),
                terms_version: row.try_get_by_index(3)?,
                ad_unit: AdUnitId::from_uuid(row.try_get_by_index(4)?),
                hour: time(5)?,
            },
            revision: row.try_get_by_index(6)?,
            counts: serde_json::from_str(&row.try_get_by_index::<String>(7)?)
                .map_err(|error| StoreError::corrupt(format!("parked_rows.counts: {error}")))?,
        },
        rated_by: rated_by(row)?,
        obstacle: Obstacle {
            reason: ParkReason::from_number(reason)
                .ok_or_else(|| StoreError::corrupt(format!("parked_rows.reason is {reason}")))?,
            detail: row.try_get_by_index(9)?,
        },
        parked_at: time(10)?,
        tried_at: time(11)?,
        tries: row.try_get_by_index(12)?,
    };
    Ok((RowId::from_uuid(row.try_get_by_index(0)?), parked))
}

fn rated_by(row: &QueryResult) -> Result<Option<RatedBy>, StoreError> {
    let (rev_share, period, day) = (
        row.try_get_by_index::<Option<_>>(13)?,
        row.try_get_by_index::<Option<_>>(14)?,
        row.try_get_by_index::<Option<i16>>(15)?,
    );
    let (Some(rev_share), Some(period), Some(day)) = (rev_share, period, day) else {
        return Ok(None);
    };
    Ok(Some(RatedBy {
        rev_share: RevShareId::from_uuid(rev_share),
        period: Period::from_index(period),
        day: u8::try_from(day)
            .map_err(|_| StoreError::corrupt(format!("parked_rows.day is {day}")))?,
    }))
}
