//! Follows Operations' delivery and rates it. What is taken in and how far are stored in one transaction, so that a
//! crash at any point repeats a batch at worst, which changes nothing.

use super::rater::Rater;
use crate::peers::{Batch, StreamError};
use billing_domain::rate_delivery::RateReport;
use billing_domain::rating_set::Progress;
use cleave_host::{Session, StreamTask};
use cleave_mesh::CallError;
use futures::StreamExt;
use metrics::{counter, gauge};
use operations_client::pb::WatchDeliveryResponse;

/// Messages that are rated together when they have arrived together.
const MESSAGES: usize = 4;

/// The task.
pub(crate) fn task(rater: Rater) -> StreamTask {
    StreamTask::new("delivery", move |session| {
        let rater = rater.clone();
        async move { follow(&rater, &session).await }
    })
}

async fn follow(rater: &Rater, session: &Session) -> anyhow::Result<()> {
    let mut token = rater.app().store().delivery_progress().await?.resume_token;
    let opened = tokio::select! {
        () = session.stopped() => return Ok(()),
        opened = rater.operations().watch_delivery(token.clone()) => opened,
    };
    let mut messages = match opened {
        Ok(messages) => messages.ready_chunks(MESSAGES),
        Err(error) => return start_over(rater, error).await,
    };
    loop {
        let arrived = tokio::select! {
            () = session.stopped() => return Ok(()),
            arrived = messages.next() => arrived,
        };
        let Some(arrived) = arrived else {
            return Ok(());
        };
        let (batch, fault) = read(arrived);
        if let Some(batch) = batch {
            let as_of = batch.as_of;
            // A heartbeat that brings nothing is not worth a transaction.
            if batch.resume_token != token || !batch.watermarks.is_empty() {
                token.clone_from(&batch.resume_token);
                take_in(rater, batch).await?;
            }
            let lag = rater.app().clock().now().since(as_of);
            gauge!("billing_rating_lag_seconds").set(lag.as_secs_f64());
            session.progress();
        }
        if let Some(fault) = fault {
            return start_over(rater, fault).await;
        }
    }
}

/// Reads messages that arrived together as one, up to the first that cannot be read: nothing after it may be taken in,
/// or its rows would be passed over.
fn read(
    arrived: Vec<Result<WatchDeliveryResponse, CallError>>,
) -> (Option<Batch>, Option<StreamError>) {
    let mut whole: Option<Batch> = None;
    for message in arrived {
        let next = match message.map_err(StreamError::from).and_then(Batch::read) {
            Ok(next) => next,
            Err(fault) => return (whole, Some(fault)),
        };
        whole = Some(match whole {
            Some(batch) => batch.followed_by(next),
            None => next,
        });
    }
    (whole, None)
}

async fn take_in(rater: &Rater, batch: Batch) -> anyhow::Result<()> {
    let progress = Progress {
        resume_token: batch.resume_token,
        revision: batch.revision,
        as_of: batch.as_of,
        watermarks: batch.watermarks,
    };
    let report = rater.rate(batch.rows, Some(progress)).await?;
    count(report);
    Ok(())
}

/// Counts what became of rows.
pub(super) fn count(report: RateReport) {
    for (outcome, rows) in [
        ("rated", report.rated),
        ("stale", report.stale),
        ("parked", report.parked),
    ] {
        counter!("billing_delivery_rows_total", "outcome" => outcome).increment(rows);
    }
}

/// A token that is no longer good is forgotten: rows are cumulative, so reading them all again changes nothing that
/// is right.
async fn start_over(rater: &Rater, error: StreamError) -> anyhow::Result<()> {
    if !matches!(error, StreamError::Expired) {
        return Err(error.into());
    }
    tracing::warn!("the delivery stream is read again from its beginning");
    let known = rater.app().store().delivery_progress().await?;
    let beginning = Progress {
        resume_token: String::new(),
        revision: 0,
        ..known
    };
    rater
        .app()
        .rate_delivery(Vec::new(), Some(beginning))
        .await?;
    Ok(())
}
