//! Delivery on the wire and in the domain, each way.

use cleave_contracts::operations::v1 as pb;
use cleave_kernel::{Timestamp, Violation, Violations};
use operations_domain::delivery::{
    DeliveryCounts, DeliveryKey, DeliveryReason, DeliveryRow, Gates, RowRefusal, SourceName,
};
use operations_domain::delivery_digest::DeliveryDigest;
use operations_domain::watermark::Watermark;
use operations_store::delivery::{DayDigest, DeliveryFilter, StoredRow};
use std::time::Duration;

use crate::rpc::convert::{id, instant, optional_id, optional_instant, time};
use crate::rpc::names::{self, Wire};

/// Longest range of digests.
const DIGEST_RANGE: Duration = Duration::from_secs(62 * 24 * 3600);

/// The source that a field must name.
pub(super) fn source(field: &str, name: &str) -> Result<SourceName, Violation> {
    SourceName::new(name).map_err(|fault| fault.under(field))
}

fn optional_source(field: &str, name: &str) -> Result<Option<SourceName>, Violation> {
    if name.is_empty() {
        return Ok(None);
    }
    source(field, name).map(Some)
}

/// A reported row of a batch of `source`, sound in itself.
pub(super) fn reported_row(
    row: pb::DeliveryRow,
    source: &SourceName,
    now: Timestamp,
) -> Result<DeliveryRow, RowRefusal> {
    let Some(key) = row.key else {
        return Err(RowRefusal::InvalidField(Violation::required("key")));
    };
    if !key.source.is_empty() && key.source != source.as_str() {
        return Err(RowRefusal::WrongSource);
    }
    let in_key = |fault: Violation| RowRefusal::InvalidField(fault.under("key"));
    let Some(counts) = row.counts else {
        return Err(RowRefusal::InvalidField(Violation::required("counts")));
    };
    let reason = names::optional("reason", row.reason).map_err(RowRefusal::InvalidField)?;
    let row = DeliveryRow {
        key: DeliveryKey {
            source: source.clone(),
            line_item: id("line_item_id", &key.line_item_id).map_err(in_key)?,
            terms_version: key.terms_version,
            ad_unit: id("ad_unit_id", &key.ad_unit_id).map_err(in_key)?,
            hour: instant("hour", key.hour).map_err(in_key)?,
        },
        revision: row.revision,
        counts: domain_counts(&counts),
        reason: reason.unwrap_or(DeliveryReason::Live),
    };
    row.check(now)?;
    Ok(row)
}

const fn domain_counts(counts: &pb::DeliveryCounts) -> DeliveryCounts {
    DeliveryCounts {
        requests: counts.requests,
        impressions: counts.impressions,
        viewable_impressions: counts.viewable_impressions,
        clicks: counts.clicks,
        installs: counts.installs,
        actions: counts.actions,
        invalid_impressions: counts.invalid_impressions,
        invalid_clicks: counts.invalid_clicks,
        media_cost_micros: counts.media_cost_micros,
    }
}

const fn wire_counts(counts: &DeliveryCounts) -> pb::DeliveryCounts {
    pb::DeliveryCounts {
        requests: counts.requests,
        impressions: counts.impressions,
        viewable_impressions: counts.viewable_impressions,
        clicks: counts.clicks,
        installs: counts.installs,
        actions: counts.actions,
        invalid_impressions: counts.invalid_impressions,
        invalid_clicks: counts.invalid_clicks,
        media_cost_micros: counts.media_cost_micros,
    }
}

/// A stored row; `gates` tell its state.
pub(super) fn row(stored: &StoredRow, gates: &Gates) -> pb::DeliveryRow {
    let key = &stored.row.key;
    pb::DeliveryRow {
        key: Some(pb::DeliveryKey {
            source: key.source.to_string(),
            line_item_id: key.line_item.to_string(),
            terms_version: key.terms_version,
            ad_unit_id: key.ad_unit.to_string(),
            hour: time(key.hour),
        }),
        revision: stored.row.revision,
        counts: Some(wire_counts(&stored.row.counts)),
        reason: stored.row.reason.to_wire(),
        state: gates.state(key.hour).to_wire(),
        report_time: time(stored.reported_at),
    }
}

/// The digest of rows; empty without any.
pub(super) fn digest_of(rows: &[StoredRow]) -> Vec<u8> {
    if rows.is_empty() {
        return Vec::new();
    }
    let digest: DeliveryDigest = rows
        .iter()
        .map(|stored| {
            let row = &stored.row;
            DeliveryDigest::of_row(&row.key, row.revision, &row.counts)
        })
        .collect();
    digest.as_bytes().to_vec()
}

/// A watermark.
pub(super) fn watermark(watermark: &Watermark) -> pb::DeliveryWatermark {
    pb::DeliveryWatermark {
        source: watermark.source.to_string(),
        complete_through: time(watermark.complete_through),
        revision: watermark.seq,
    }
}

/// The digest of a day.
pub(super) fn digest(day: &DayDigest) -> pb::DeliveryDigest {
    pb::DeliveryDigest {
        source: day.source.to_string(),
        day: time(day.day),
        row_count: day.rows,
        counts: Some(wire_counts(&day.counts)),
        digest: day.digest.as_bytes().to_vec(),
    }
}

/// What to list.
pub(super) fn filter(message: &pb::ListDeliveryRequest) -> Result<DeliveryFilter, Violations> {
    let mut faults = Violations::new();
    let source = faults.take(optional_source("source", &message.source));
    let line_item = faults.take(optional_id("line_item_id", &message.line_item_id));
    let campaign = faults.take(optional_id("campaign_id", &message.campaign_id));
    let ad_unit = faults.take(optional_id("ad_unit_id", &message.ad_unit_id));
    let from = faults.take(optional_instant("start_time", message.start_time));
    let until = faults.take(optional_instant("end_time", message.end_time));
    let filter = DeliveryFilter {
        source: source.flatten(),
        line_item: line_item.flatten(),
        campaign: campaign.flatten(),
        ad_unit: ad_unit.flatten(),
        from: from.flatten(),
        until: until.flatten(),
    };
    faults.into_result(Some(filter))
}

/// Whose rows of which hours to digest.
pub(super) fn digest_range(
    message: &pb::GetDeliveryDigestRequest,
) -> Result<(Option<SourceName>, Timestamp, Timestamp), Violations> {
    let mut faults = Violations::new();
    let source = faults.take(optional_source("source", &message.source));
    let from = faults.take(instant("start_time", message.start_time));
    let until = faults.take(instant("end_time", message.end_time));
    if let Some((from, until)) = from.zip(until)
        && (until <= from || until.since(from) > DIGEST_RANGE)
    {
        faults.push(Violation::new(
            "end_time",
            "OUT_OF_RANGE",
            "the end lies after the start, at most 62 days",
        ));
    }
    let range = source.zip(from).zip(until);
    faults.into_result(range.map(|((source, from), until)| (source, from, until)))
}

/// A row that was not taken.
pub(super) fn rejection(batch: i64, row: usize, refusal: &RowRefusal) -> pb::RowRejection {
    use pb::row_rejection::Reason;
    let reason = match refusal {
        RowRefusal::InvalidField(_) => Reason::InvalidField,
        RowRefusal::InvalidCounts(_) => Reason::InvalidCounts,
        RowRefusal::InvalidHour => Reason::InvalidHour,
        RowRefusal::WrongSource => Reason::WrongSource,
        RowRefusal::DuplicateKey => Reason::DuplicateKey,
        RowRefusal::UnknownLineItem => Reason::UnknownLineItem,
        RowRefusal::UnknownTerms => Reason::UnknownTerms,
        RowRefusal::UnknownAdUnit => Reason::UnknownAdUnit,
        RowRefusal::Frozen => Reason::Frozen,
        RowRefusal::BehindWatermark => Reason::BehindWatermark,
    };
    pb::RowRejection {
        batch_index: batch,
        row_index: i64::try_from(row).unwrap_or(i64::MAX),
        field: refusal.field().to_owned(),
        reason: reason.into(),
        message: refusal.to_string(),
    }
}
