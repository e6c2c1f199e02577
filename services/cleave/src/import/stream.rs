//! Rows: compared with what is stored, then sent.

use std::collections::HashMap;
use std::time::Duration;

use anyhow::{Context, Result, bail};
use cleave_kernel::{AdUnitId, LineItemId};
use futures::stream::{self, TryStreamExt};
use operations_client::pb::{
    DeliveryCounts, DeliveryKey, DeliveryReason, DeliveryRow, ListDeliveryRequest,
    ReportDeliveryRequest, ReportDeliveryResponse,
};
use operations_client::{CallError, OperationsClient};

use super::fault::Fault;
use super::map::Map;
use super::plan::{Plan, Row, RowKey};
use super::report::Report;
use crate::output;
use crate::time::{from_proto, to_proto};

/// Rows in a message: well below the size that a message may have.
const ROWS_AT_ONCE: usize = 2000;
/// How often a stream that broke is sent again.
const ATTEMPTS: u32 = 8;
/// The wait before the second attempt; it doubles.
const FIRST_BACKOFF: Duration = Duration::from_millis(250);

/// The rows of a plan beside those that are stored.
#[derive(Debug, Default)]
pub(super) struct Rows {
    /// Rows to send, with the lines they came from.
    outgoing: Vec<(u64, DeliveryRow)>,
    /// Rows that are stored as they are.
    unchanged: i64,
    /// Rows that are stored with other counts, which nobody asked to replace.
    pub(super) conflicts: Vec<Row>,
}

/// Sorts the rows of the plan into those that are new, known, and contrary to what is stored.
///
/// A row has revision 1 when it is first imported and one more with each correction, so the same file always
/// comes to the same rows.
pub(super) async fn against_stored(
    client: &OperationsClient,
    map: &Map,
    plan: &Plan,
    correct: bool,
) -> Result<Rows> {
    let stored = stored(client, plan).await?;
    let mut rows = Rows::default();
    for (key, row) in &plan.rows {
        let revision = match stored.get(key) {
            None => 1,
            Some((_, counts)) if *counts == row.counts => {
                rows.unchanged += 1;
                continue;
            }
            Some((revision, _)) if correct => revision.saturating_add(1),
            Some(_) => {
                rows.conflicts.push(row.clone());
                continue;
            }
        };
        let delivery = delivery_row(map, key, row, revision);
        rows.outgoing.push((row.line, delivery));
    }
    Ok(rows)
}

/// Revision and counts of what the source has in the span of the plan.
async fn stored(
    client: &OperationsClient,
    plan: &Plan,
) -> Result<HashMap<RowKey, (i64, DeliveryCounts)>> {
    let Some((start, end)) = plan.span() else {
        return Ok(HashMap::new());
    };
    let request = ListDeliveryRequest {
        source: plan.source.clone(),
        start_time: Some(to_proto(start)),
        end_time: Some(to_proto(end)),
        ..Default::default()
    };
    client
        .list_all_delivery(request)
        .map_err(anyhow::Error::from)
        .try_fold(HashMap::new(), |mut rows, row| async move {
            let key = row.key.context("a stored row has no key")?;
            let key = RowKey {
                line_item: key.line_item_id.parse::<LineItemId>()?,
                ad_unit: key.ad_unit_id.parse::<AdUnitId>()?,
                hour: from_proto(key.hour.as_ref()),
            };
            rows.insert(key, (row.revision, row.counts.unwrap_or_default()));
            Ok(rows)
        })
        .await
        .context("reading what was imported before")
}

fn delivery_row(map: &Map, key: &RowKey, row: &Row, revision: i64) -> DeliveryRow {
    let reason = if revision == 1 {
        DeliveryReason::Backfill
    } else {
        DeliveryReason::Discrepancy
    };
    DeliveryRow {
        key: Some(DeliveryKey {
            source: map.source.clone(),
            line_item_id: key.line_item.to_string(),
            terms_version: 1,
            ad_unit_id: key.ad_unit.to_string(),
            hour: Some(to_proto(key.hour)),
        }),
        revision,
        counts: Some(row.counts),
        reason: reason.into(),
        ..Default::default()
    }
}

/// Sends what is not stored yet. A stream that breaks is sent again whole: what arrived is stale then.
pub(super) async fn send(
    client: &OperationsClient,
    map: &Map,
    rows: &Rows,
    report: &mut Report,
) -> Result<()> {
    report.stored.unchanged = rows.unchanged;
    if rows.outgoing.is_empty() {
        return Ok(());
    }
    let mut backoff = FIRST_BACKOFF;
    let mut attempt = 1;
    let answer = loop {
        match send_once(client, map, rows).await {
            Ok(answer) => break answer,
            Err(error) if error.is_transient() && attempt < ATTEMPTS => {
                tracing::warn!(%error, attempt, "The stream of rows broke; sending it again.");
                tokio::time::sleep(backoff).await;
                backoff *= 2;
                attempt += 1;
            }
            Err(error) => return Err(error).context("sending delivery"),
        }
    };
    take_in(rows, &answer, report)
}

async fn send_once(
    client: &OperationsClient,
    map: &Map,
    rows: &Rows,
) -> Result<ReportDeliveryResponse, CallError> {
    let total = u64::try_from(rows.outgoing.len()).unwrap_or(u64::MAX);
    let progress = output::progress("delivery rows", total);
    let batches: Vec<_> = rows
        .outgoing
        .chunks(ROWS_AT_ONCE)
        .map(|rows| ReportDeliveryRequest {
            source: map.source.clone(),
            rows: rows.iter().map(|(_, row)| row.clone()).collect(),
            ..Default::default()
        })
        .collect();
    let counted = progress.clone();
    let batches = stream::iter(batches.into_iter().inspect(move |batch| {
        counted.inc(u64::try_from(batch.rows.len()).unwrap_or(0));
    }));
    let answer = client.report_delivery(batches).await;
    progress.finish_and_clear();
    answer
}

/// Takes in what became of the rows. None may have been rejected: everything they name was just ensured.
fn take_in(rows: &Rows, answer: &ReportDeliveryResponse, report: &mut Report) -> Result<()> {
    let corrected = rows
        .outgoing
        .iter()
        .filter(|(_, row)| row.revision > 1)
        .count();
    report.stored.corrected = i64::try_from(corrected)?;
    // After a repeated attempt some of the rows count as stale; they are new to this import all the same.
    let taken = answer.inserted_count + answer.updated_count + answer.stale_count;
    report.stored.inserted = taken - report.stored.corrected;
    if answer.rejected_count == 0 {
        return Ok(());
    }
    let faults: Vec<_> = answer
        .rejections
        .iter()
        .filter_map(|rejection| {
            let batch = usize::try_from(rejection.batch_index).ok()?;
            let row = usize::try_from(rejection.row_index).ok()?;
            let (line, _) = rows.outgoing.get(batch * ROWS_AT_ONCE + row)?;
            let reason = format!("Operations rejects it: {}", rejection.message);
            Some(Fault::of_line(*line, "", reason))
        })
        .collect();
    for fault in &faults {
        eprintln!("{fault}");
    }
    bail!("{} rows were rejected", answer.rejected_count)
}
