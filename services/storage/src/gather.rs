//! Gathering: requests that arrive while a batch runs form the next one. A busy service pays one round trip
//! for many requests and an idle one waits for nothing, because there is no timer: a batch is whatever
//! queued behind the last.

use std::fmt;
use std::panic::AssertUnwindSafe;

use futures::FutureExt;
use thiserror::Error;
use tokio::runtime::Handle;
use tokio::sync::{mpsc, oneshot, watch};

/// Why a request was not answered.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum GatherError {
    /// The queue is full; the request was not taken.
    #[error("too many requests are waiting")]
    Overloaded,
    /// The gatherer is closed; the request was not taken.
    #[error("the gatherer is closed")]
    Closed,
    /// The batch that held the request died; whether it had an effect is unknown.
    #[error("the batch was lost")]
    Lost,
}

/// What becomes of a batch whose answers nobody wants any more.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Unwanted {
    /// It is finished: whoever asks again finds its effects. What bounds it is its own time limit.
    Finished,
    /// It is dropped.
    Dropped,
}

#[derive(Clone, Copy)]
struct Limits {
    batch_max: usize,
    unwanted: Unwanted,
}

type Waiting<Req, Resp> = (Req, oneshot::Sender<Resp>);

/// Takes single requests and runs them in batches, one batch at a time. Clones share the queue; requests may
/// come from any runtime.
pub struct Gatherer<Req, Resp> {
    name: &'static str,
    queue: mpsc::Sender<Waiting<Req, Resp>>,
    /// `true` once closing has begun; the loop drops its end when it has answered all.
    closing: watch::Sender<bool>,
}

impl<Req, Resp> Gatherer<Req, Resp>
where
    Req: Send + 'static,
    Resp: Send + 'static,
{
    /// Starts a gatherer on the current runtime. At most `bound` requests wait and at most `batch_max` form a
    /// batch; `run` answers each request of a batch, in order.
    ///
    /// # Panics
    /// Outside a runtime, and when `bound` or `batch_max` is 0.
    pub fn spawn<F, Fut>(name: &'static str, bound: usize, batch_max: usize, run: F) -> Self
    where
        F: FnMut(Vec<Req>) -> Fut + Send + 'static,
        Fut: Future<Output = Vec<Resp>> + Send + 'static,
    {
        Self::spawn_on(&Handle::current(), name, bound, batch_max, run)
    }

    /// The same for requests without effect: a batch is dropped, and what it does in the database with it, once
    /// nobody waits for any of its answers.
    ///
    /// # Panics
    /// As [`Gatherer::spawn`].
    pub fn spawn_reads<F, Fut>(name: &'static str, bound: usize, batch_max: usize, run: F) -> Self
    where
        F: FnMut(Vec<Req>) -> Fut + Send + 'static,
        Fut: Future<Output = Vec<Resp>> + Send + 'static,
    {
        let limits = Limits {
            batch_max,
            unwanted: Unwanted::Dropped,
        };
        Self::start(&Handle::current(), name, bound, limits, run)
    }

    /// The same as [`Gatherer::spawn`], on the runtime of `handle`.
    pub fn spawn_on<F, Fut>(
        handle: &Handle,
        name: &'static str,
        bound: usize,
        batch_max: usize,
        run: F,
    ) -> Self
    where
        F: FnMut(Vec<Req>) -> Fut + Send + 'static,
        Fut: Future<Output = Vec<Resp>> + Send + 'static,
    {
        let limits = Limits {
            batch_max,
            unwanted: Unwanted::Finished,
        };
        Self::start(handle, name, bound, limits, run)
    }

    fn start<F, Fut>(
        handle: &Handle,
        name: &'static str,
        bound: usize,
        limits: Limits,
        run: F,
    ) -> Self
    where
        F: FnMut(Vec<Req>) -> Fut + Send + 'static,
        Fut: Future<Output = Vec<Resp>> + Send + 'static,
    {
        assert!(
            limits.batch_max > 0,
            "a batch of {name} must hold a request"
        );
        let (queue, requests) = mpsc::channel(bound);
        // There from the beginning: what appears with its first event shows no rise.
        metrics::counter!("storage_gather_overloaded_total", "name" => name).increment(0);
        let closing = watch::Sender::new(false);
        let closed = closing.subscribe();
        handle.spawn(gather(name, requests, closed, limits, run));
        Self {
            name,
            queue,
            closing,
        }
    }

    /// Queues `request` and waits for its answer. Giving up the wait withdraws a request whose batch has not
    /// begun.
    pub async fn submit(&self, request: Req) -> Result<Resp, GatherError> {
        if *self.closing.borrow() {
            return Err(GatherError::Closed);
        }
        let (answer, answered) = oneshot::channel();
        self.queue
            .try_send((request, answer))
            .map_err(|refused| match refused {
                mpsc::error::TrySendError::Full(_) => {
                    metrics::counter!("storage_gather_overloaded_total", "name" => self.name)
                        .increment(1);
                    GatherError::Overloaded
                }
                mpsc::error::TrySendError::Closed(_) => GatherError::Closed,
            })?;
        answered.await.map_err(|_| GatherError::Lost)
    }

    /// Takes no more requests, answers those that wait, and returns when the last batch is done.
    pub async fn close(&self) {
        self.closing.send_replace(true);
        self.closing.closed().await;
    }
}

impl<Req, Resp> Clone for Gatherer<Req, Resp> {
    fn clone(&self) -> Self {
        Self {
            name: self.name,
            queue: self.queue.clone(),
            closing: self.closing.clone(),
        }
    }
}

impl<Req, Resp> fmt::Debug for Gatherer<Req, Resp> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Gatherer")
            .field("name", &self.name)
            .finish_non_exhaustive()
    }
}

async fn gather<Req, Resp, F, Fut>(
    name: &'static str,
    mut requests: mpsc::Receiver<Waiting<Req, Resp>>,
    mut closing: watch::Receiver<bool>,
    limits: Limits,
    mut run: F,
) where
    F: FnMut(Vec<Req>) -> Fut,
    Fut: Future<Output = Vec<Resp>>,
{
    let mut waiting = Vec::new();
    let mut open = true;
    loop {
        tokio::select! {
            biased;
            taken = requests.recv_many(&mut waiting, limits.batch_max) => {
                if taken == 0 {
                    return;
                }
            }
            _ = closing.wait_for(|closing| *closing), if open => {
                // What is queued stays to be received; nothing joins it.
                open = false;
                requests.close();
                continue;
            }
        }
        run_batch(name, &mut waiting, limits.unwanted, &mut run).await;
    }
}

/// Runs what waits as one batch. Leaves `waiting` empty, whatever becomes of the batch.
async fn run_batch<Req, Resp, F, Fut>(
    name: &'static str,
    waiting: &mut Vec<Waiting<Req, Resp>>,
    unwanted: Unwanted,
    run: &mut F,
) where
    F: FnMut(Vec<Req>) -> Fut,
    Fut: Future<Output = Vec<Resp>>,
{
    let (requests, mut answers): (Vec<Req>, Vec<_>) = waiting
        .drain(..)
        .filter(|(_, answer)| !answer.is_closed())
        .unzip();
    let count = requests.len();
    if count == 0 {
        return;
    }
    metrics::histogram!("storage_gather_batch_size", "name" => name)
        .record(u32::try_from(count).unwrap_or(u32::MAX));
    // A batch that panics takes its own requests down (their answers are dropped), not the later ones.
    let batch = AssertUnwindSafe(async { run(requests).await });
    let done = tokio::select! {
        biased;
        done = batch.catch_unwind() => done,
        () = nobody_waits(&mut answers), if unwanted == Unwanted::Dropped => return,
    };
    match done {
        Ok(responses) if responses.len() == count => {
            for (answer, response) in answers.into_iter().zip(responses) {
                // Whoever gave up waiting does not want it.
                let _ = answer.send(response);
            }
        }
        Ok(responses) => tracing::error!(
            gather.name = name,
            gather.requests = count,
            gather.responses = responses.len(),
            "a batch did not answer each of its requests"
        ),
        Err(_) => tracing::error!(
            gather.name = name,
            gather.requests = count,
            "a batch panicked"
        ),
    }
}

/// Returns once everybody who waited has given up. One is watched at a time, so this costs a batch next to nothing.
async fn nobody_waits<Resp>(answers: &mut [oneshot::Sender<Resp>]) {
    for answer in answers {
        answer.closed().await;
    }
}
