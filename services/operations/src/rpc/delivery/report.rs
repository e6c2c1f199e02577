//! `ReportDelivery`: reads batch by batch, never far ahead of what is stored.

use std::collections::HashSet;

use cleave_contracts::operations::v1 as pb;
use cleave_host::Drain;
use cleave_kernel::{Timestamp, Violation};
use futures::StreamExt;
use futures::stream::FuturesOrdered;
use operations_domain::delivery::{RowRefusal, SourceName};
use operations_domain::watermark::settled_through;
use operations_store::delivery::{Batch, BatchOutcome};
use tonic::{Status, Streaming};

use super::convert;
use crate::app::{App, DeliveryIntake, Error};
use crate::rpc::convert::{optional_instant, time};

/// Most rows of a batch.
const BATCH_ROWS: usize = 5000;
/// Batches of one stream that are being stored while the next one is read.
const WINDOW: usize = 2;
/// Most rejections that a response tells.
const REJECTIONS: usize = 1000;

/// A batch as it came, its unsound rows set apart.
struct Parsed {
    index: i64,
    batch: Batch,
    /// Where each sound row stood.
    places: Vec<usize>,
    refused: Vec<(usize, RowRefusal)>,
}

/// Stores a stream of batches and answers what became of all of them.
pub(super) async fn report(
    app: &App,
    intake: &DeliveryIntake,
    drain: &Drain,
    mut batches: Streaming<pb::ReportDeliveryRequest>,
) -> Result<pb::ReportDeliveryResponse, Status> {
    let mut tally = Tally::default();
    let mut storing = FuturesOrdered::new();
    let mut source: Option<SourceName> = None;
    let mut index = 0_i64;
    loop {
        tokio::select! {
            biased;
            Some(stored) = storing.next() => tally.add(stored?),
            () = drain.token().cancelled() => return Err(Error::ShuttingDown.into()),
            message = batches.message(), if storing.len() < WINDOW => {
                let Some(message) = message? else { break };
                let parsed = parse(app, message, index, &mut source).map_err(Error::from)?;
                index += 1;
                if parsed.batch.complete_through.is_some() {
                    // A watermark may not overtake the rows before it.
                    while let Some(stored) = storing.next().await {
                        tally.add(stored?);
                    }
                }
                storing.push_back(store(intake, parsed));
            }
        }
    }
    while let Some(stored) = storing.next().await {
        tally.add(stored?);
    }
    tracing::debug!(
        delivery.source = source.as_ref().map(SourceName::as_str),
        delivery.batches = index,
        "a report was stored"
    );
    Ok(tally.response)
}

async fn store(
    intake: &DeliveryIntake,
    parsed: Parsed,
) -> Result<(i64, Vec<(usize, RowRefusal)>, BatchOutcome), Error> {
    let outcome = intake.take(parsed.batch).await?;
    let mut refused = parsed.refused;
    let placed = outcome
        .refused
        .iter()
        .filter_map(|(row, refusal)| Some((*parsed.places.get(*row)?, refusal.clone())));
    refused.extend(placed);
    refused.sort_by_key(|(row, _)| *row);
    Ok((parsed.index, refused, outcome))
}

fn parse(
    app: &App,
    message: pb::ReportDeliveryRequest,
    index: i64,
    known: &mut Option<SourceName>,
) -> Result<Parsed, Violation> {
    let now = app.clock().now();
    let source = convert::source("source", &message.source)?;
    if known.get_or_insert_with(|| source.clone()) != &source {
        return Err(Violation::new(
            "source",
            "CHANGED",
            "all batches of a stream have the same source",
        ));
    }
    if message.rows.len() > BATCH_ROWS {
        return Err(Violation::new(
            "rows",
            "TOO_MANY",
            format!("a batch has at most {BATCH_ROWS} rows"),
        ));
    }
    let complete_through = optional_instant("complete_through", message.complete_through)?
        .map(|through| settled_through(through, now))
        .transpose()
        .map_err(|fault| fault.under("complete_through"))?;
    let mut parsed = Parsed {
        index,
        places: Vec::with_capacity(message.rows.len()),
        refused: Vec::new(),
        batch: Batch {
            source,
            rows: Vec::with_capacity(message.rows.len()),
            complete_through,
        },
    };
    parsed.sort_out(message.rows, now);
    Ok(parsed)
}

impl Parsed {
    fn sort_out(&mut self, rows: Vec<pb::DeliveryRow>, now: Timestamp) {
        let mut keys = HashSet::with_capacity(rows.len());
        for (place, row) in rows.into_iter().enumerate() {
            match convert::reported_row(row, &self.batch.source, now) {
                Ok(row) if keys.insert(row.key.clone()) => {
                    self.places.push(place);
                    self.batch.rows.push(row);
                }
                Ok(_) => self.refused.push((place, RowRefusal::DuplicateKey)),
                Err(refusal) => self.refused.push((place, refusal)),
            }
        }
    }
}

/// What became of the batches so far.
#[derive(Default)]
struct Tally {
    response: pb::ReportDeliveryResponse,
}

impl Tally {
    fn add(&mut self, (index, refused, outcome): (i64, Vec<(usize, RowRefusal)>, BatchOutcome)) {
        let response = &mut self.response;
        response.inserted_count += outcome.inserted;
        response.updated_count += outcome.updated;
        response.stale_count += outcome.stale;
        response.rejected_count += i64::try_from(refused.len()).unwrap_or(i64::MAX);
        response.revision = outcome.seq;
        response.complete_through = outcome.complete_through.and_then(time);
        let room = REJECTIONS.saturating_sub(response.rejections.len());
        let told = refused.iter().take(room);
        response
            .rejections
            .extend(told.map(|(row, refusal)| convert::rejection(index, *row, refusal)));
    }
}
