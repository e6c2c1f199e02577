//! Follows Operations' delivery and rates it. What is taken in and how far are stored in one transaction, so that a
//! crash at any point repeats a batch at worst, which changes nothing.

use super::heard::Heard;
use super::meter;
use super::rater::Rater;
use crate::peers::{Batch, StreamError};
use billing_domain::rating_set::Progress;
use cleave_host::{Session, StreamTask};
use cleave_mesh::CallError;
use futures::StreamExt;
use operations_client::pb::WatchDeliveryResponse;

/// Messages that are looked at together when they have arrived together.
const MESSAGES: usize = 8;
/// Rows from which on no further message joins a transaction: others wait for it to end.
const ROWS: usize = 5000;

/// The task.
pub(crate) fn task(rater: Rater, heard: Heard) -> StreamTask {
    StreamTask::new("delivery", move |session| {
        let (rater, heard) = (rater.clone(), heard.clone());
        async move { follow(&rater, &heard, &session).await }
    })
}

async fn follow(rater: &Rater, heard: &Heard, session: &Session) -> anyhow::Result<()> {
    let catch_up = rater.app().catch_up();
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
        let (batches, fault) = read(arrived);
        for batch in batches {
            let (as_of, at_head) = (batch.as_of, batch.at_head);
            // A heartbeat that brings nothing is not worth a transaction.
            if batch.resume_token != token || !batch.watermarks.is_empty() {
                token.clone_from(&batch.resume_token);
                take_in(rater, batch).await?;
            }
            if at_head {
                catch_up.done(rater.app().store()).await?;
            }
            heard.at(as_of);
            session.progress();
        }
        if let Some(fault) = fault {
            return start_over(rater, fault).await;
        }
    }
}

/// Reads messages that arrived together, small ones joined, up to the first that cannot be read: nothing after it may
/// be taken in, or its rows would be passed over.
fn read(
    arrived: Vec<Result<WatchDeliveryResponse, CallError>>,
) -> (Vec<Batch>, Option<StreamError>) {
    let mut batches: Vec<Batch> = Vec::with_capacity(1);
    for message in arrived {
        let next = match message.map_err(StreamError::from).and_then(Batch::read) {
            Ok(next) => next,
            Err(fault) => return (batches, Some(fault)),
        };
        match batches.pop_if(|batch| batch.rows.len() + next.rows.len() <= ROWS) {
            Some(batch) => batches.push(batch.followed_by(next)),
            None => batches.push(next),
        }
    }
    (batches, None)
}

async fn take_in(rater: &Rater, batch: Batch) -> anyhow::Result<()> {
    let progress = Progress {
        resume_token: batch.resume_token,
        revision: batch.revision,
        as_of: batch.as_of,
        watermarks: batch.watermarks,
    };
    let report = rater
        .rate(batch.rows, batch.unreadable, Some(progress))
        .await?;
    meter::count(report);
    Ok(())
}

/// A token that is no longer good is forgotten: rows are cumulative, so reading them all again changes nothing that
/// is right.
async fn start_over(rater: &Rater, error: StreamError) -> anyhow::Result<()> {
    if !matches!(error, StreamError::Expired) {
        return Err(error.into());
    }
    tracing::warn!("the delivery stream is read again from its beginning");
    rater.forget().await;
    let known = rater.app().store().delivery_progress().await?;
    let beginning = Progress {
        resume_token: String::new(),
        revision: 0,
        ..known
    };
    rater
        .app()
        .rate_delivery(Vec::new(), Vec::new(), Some(beginning))
        .await?;
    Ok(())
}
