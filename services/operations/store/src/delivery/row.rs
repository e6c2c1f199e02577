//! A stored row and its columns.

use cleave_kernel::{AdUnitId, LineItemId, Timestamp};
use cleave_storage::StorageError;
use operations_domain::delivery::{
    DeliveryCounts, DeliveryKey, DeliveryReason, DeliveryRow, SourceName,
};
use sea_orm::{QueryResult, Value};
use uuid::Uuid;

/// The columns of counts, in the order of the contract.
pub(crate) const COUNT_COLUMNS: [&str; DeliveryCounts::LEN] = [
    "requests",
    "impressions",
    "viewable_impressions",
    "clicks",
    "installs",
    "actions",
    "invalid_impressions",
    "invalid_clicks",
    "media_cost_micros",
];

/// The columns of `delivery_rows` before those of counts.
pub(super) const ROW_COLUMNS: [&str; 10] = [
    "id",
    "seq",
    "source",
    "line_item_id",
    "terms_version",
    "ad_unit_id",
    "hour",
    "revision",
    "reason",
    "reported_at",
];

/// How many values a row binds.
pub(super) const ROW_BINDS: usize = ROW_COLUMNS.len() + DeliveryCounts::LEN;

/// A row as it stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoredRow {
    /// Its place in the delivery feed.
    pub seq: i64,
    /// What was reported.
    pub row: DeliveryRow,
    /// When.
    pub reported_at: Timestamp,
}

/// All columns of `delivery_rows`.
pub(super) fn columns() -> impl Iterator<Item = &'static str> {
    ROW_COLUMNS.into_iter().chain(COUNT_COLUMNS)
}

impl StoredRow {
    /// Its values in the order of [`columns`].
    pub(super) fn values(&self, id: Uuid) -> impl Iterator<Item = Value> {
        let key = &self.row.key;
        let head: [Value; ROW_COLUMNS.len()] = [
            id.into(),
            self.seq.into(),
            key.source.as_str().into(),
            key.line_item.uuid().into(),
            key.terms_version.into(),
            key.ad_unit.uuid().into(),
            key.hour.micros().into(),
            self.row.revision.into(),
            self.row.reason.to_string().into(),
            self.reported_at.micros().into(),
        ];
        head.into_iter()
            .chain(self.row.counts.to_array().map(Value::from))
    }

    /// The id and the row out of a result that has [`columns`].
    pub(super) fn read(
        result: &QueryResult,
        names: &mut SourceNames,
    ) -> Result<(Uuid, Self), StorageError> {
        let reason: String = result.try_get_by_index(8)?;
        let stored = Self {
            seq: result.try_get_by_index(1)?,
            reported_at: Timestamp::from_micros(result.try_get_by_index(9)?),
            row: DeliveryRow {
                key: DeliveryKey {
                    source: names.intern(result.try_get_by_index(2)?)?,
                    line_item: LineItemId::from_uuid(result.try_get_by_index(3)?),
                    terms_version: result.try_get_by_index(4)?,
                    ad_unit: AdUnitId::from_uuid(result.try_get_by_index(5)?),
                    hour: Timestamp::from_micros(result.try_get_by_index(6)?),
                },
                revision: result.try_get_by_index(7)?,
                counts: read_counts(result, ROW_COLUMNS.len())?,
                reason: reason
                    .parse::<DeliveryReason>()
                    .map_err(|error| StorageError::Corrupt(error.to_string()))?,
            },
        };
        Ok((result.try_get_by_index(0)?, stored))
    }
}

/// The counts out of a result whose column `first` is the first of [`COUNT_COLUMNS`].
pub(super) fn read_counts(
    result: &QueryResult,
    first: usize,
) -> Result<DeliveryCounts, StorageError> {
    let mut numbers = [0; DeliveryCounts::LEN];
    for (index, number) in numbers.iter_mut().enumerate() {
        *number = result.try_get_by_index(first + index)?;
    }
    Ok(DeliveryCounts::from_array(numbers))
}

/// Names of sources, each allocated once however many rows bear it.
#[derive(Debug, Default)]
pub(super) struct SourceNames(Vec<SourceName>);

impl SourceNames {
    pub(super) fn intern(&mut self, name: String) -> Result<SourceName, StorageError> {
        // There are a handful of sources: a scan beats a map.
        if let Some(known) = self.0.iter().find(|known| known.as_str() == name) {
            return Ok(known.clone());
        }
        let source = SourceName::new(&name)
            .map_err(|_| StorageError::Corrupt(format!("{name:?} is not a source")))?;
        self.0.push(source.clone());
        Ok(source)
    }
}
