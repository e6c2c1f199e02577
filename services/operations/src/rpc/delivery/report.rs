//! `ReportDelivery`: reads batch by batch, never far ahead of what is stored.

use cleave_contracts::operations::v1 as pb;
use cleave_host::Drain;
use cleave_kernel::SharedClock;
use futures::StreamExt;
use futures::future::BoxFuture;
use futures::stream::FuturesOrdered;
use operations_domain::delivery::{RowRefusal, SourceName};
use operations_store::delivery::BatchOutcome;
use tonic::{Status, Streaming};

use super::batch::{Parsed, parse};
use super::convert;
use crate::app::{DeliveryIntake, Error};
use crate::rpc::convert::time;

/// Batches of one stream that are being stored while the next one is read.
const WINDOW: usize = 2;
/// Most rejections that a response tells.
const REJECTIONS: usize = 1000;

/// Stores a stream of batches and answers what became of all of them.
pub(super) async fn report(
    intake: &DeliveryIntake,
    clock: &SharedClock,
    drain: &Drain,
    mut batches: Streaming<pb::ReportDeliveryRequest>,
) -> Result<pb::ReportDeliveryResponse, Status> {
    let mut report = Report::default();
    let read = report.read(intake, clock, drain, &mut batches).await;
    // Also when it broke off: what was taken in is stored before the caller hears of anything.
    let stored = report.finish().await;
    read?;
    stored?;
    tracing::debug!(
        delivery.source = report.source.as_ref().map(SourceName::as_str),
        delivery.batches = report.batches,
        "a report was stored"
    );
    Ok(report.response)
}

/// A report so far.
#[derive(Default)]
struct Report {
    response: pb::ReportDeliveryResponse,
    source: Option<SourceName>,
    batches: i64,
    /// In the order of the batches.
    storing: FuturesOrdered<BoxFuture<'static, Result<Stored, Error>>>,
}

/// A batch that was stored.
struct Stored {
    index: i64,
    refused: Vec<(usize, RowRefusal)>,
    outcome: BatchOutcome,
}

impl Report {
    /// Reads to the end of the stream.
    async fn read(
        &mut self,
        intake: &DeliveryIntake,
        clock: &SharedClock,
        drain: &Drain,
        batches: &mut Streaming<pb::ReportDeliveryRequest>,
    ) -> Result<(), Status> {
        loop {
            tokio::select! {
                biased;
                Some(stored) = self.storing.next() => self.add(&stored?),
                () = drain.token().cancelled() => return Err(Error::ShuttingDown.into()),
                message = batches.message(), if self.storing.len() < WINDOW => {
                    let Some(message) = message? else { return Ok(()) };
                    let parsed = parse(message, &mut self.source, clock.now());
                    let parsed = parsed.map_err(Error::from)?;
                    if parsed.batch.complete_through.is_some() {
                        // A watermark may not overtake the rows before it.
                        self.finish().await?;
                    }
                    let stored = store(intake.clone(), parsed, self.batches);
                    self.storing.push_back(Box::pin(stored));
                    self.batches += 1;
                }
            }
        }
    }

    /// Waits for everything that is being stored.
    async fn finish(&mut self) -> Result<(), Error> {
        let mut outcome = Ok(());
        while let Some(stored) = self.storing.next().await {
            match stored {
                Ok(stored) => self.add(&stored),
                Err(error) => outcome = outcome.and(Err(error)),
            }
        }
        outcome
    }

    fn add(&mut self, stored: &Stored) {
        let (response, outcome) = (&mut self.response, &stored.outcome);
        response.inserted_count += outcome.inserted;
        response.updated_count += outcome.updated;
        response.stale_count += outcome.stale;
        response.rejected_count += i64::try_from(stored.refused.len()).unwrap_or(i64::MAX);
        response.revision = outcome.seq;
        response.complete_through = outcome.complete_through.and_then(time);
        let room = REJECTIONS.saturating_sub(response.rejections.len());
        let told = stored.refused.iter().take(room);
        response
            .rejections
            .extend(told.map(|(row, refusal)| convert::rejection(stored.index, *row, refusal)));
    }
}

async fn store(intake: DeliveryIntake, parsed: Parsed, index: i64) -> Result<Stored, Error> {
    let outcome = intake.take(parsed.batch).await?;
    let mut refused = parsed.refused;
    let placed = outcome
        .refused
        .iter()
        .filter_map(|(row, refusal)| Some((*parsed.places.get(*row)?, refusal.clone())));
    refused.extend(placed);
    refused.sort_by_key(|(row, _)| *row);
    Ok(Stored {
        index,
        refused,
        outcome,
    })
}
