//! Tasks that consume a peer's stream for as long as there is one, and open it again when it ends.

use super::backoff::Backoff;
use super::driver::{attempt, pause};
use super::state::TaskState;
use futures::future::BoxFuture;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

/// A peer that came back is noticed within this time.
const LONGEST_BACKOFF: Duration = Duration::from_secs(5);

/// One opening of the stream, until it ends.
#[derive(Debug, Clone)]
pub struct Session {
    stop: CancellationToken,
    progressed: Arc<AtomicBool>,
    state: TaskState,
}

impl Session {
    /// Something arrived: the next failure is the first again.
    pub fn progress(&self) {
        if !self.progressed.swap(true, Ordering::Relaxed) {
            self.state.progress();
        }
    }

    /// Waits until the service drains; the session must then end, after the message in hand.
    pub async fn stopped(&self) {
        self.stop.cancelled().await;
    }

    /// Whether the service drains.
    #[must_use]
    pub fn is_stopped(&self) -> bool {
        self.stop.is_cancelled()
    }
}

type Consume = dyn Fn(Session) -> BoxFuture<'static, anyhow::Result<()>> + Send + Sync;

/// Work that follows a stream.
pub struct StreamTask {
    pub(super) name: &'static str,
    consume: Box<Consume>,
}

impl std::fmt::Debug for StreamTask {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("StreamTask")
            .field("name", &self.name)
            .finish_non_exhaustive()
    }
}

impl StreamTask {
    /// A task that opens its stream and consumes it; whenever that ends, well or not, it is done again
    /// after a pause that grows while nothing arrives.
    pub fn new<F, R>(name: &'static str, consume: F) -> Self
    where
        F: Fn(Session) -> R + Send + Sync + 'static,
        R: Future<Output = anyhow::Result<()>> + Send + 'static,
    {
        let consume =
            Box::new(move |session| -> BoxFuture<'static, _> { Box::pin(consume(session)) });
        Self { name, consume }
    }

    /// Opens the stream again and again until told to stop.
    pub(super) async fn run(self, state: TaskState, stop: CancellationToken) {
        let mut backoff = Backoff::new(LONGEST_BACKOFF);
        while !stop.is_cancelled() {
            let start = Instant::now();
            let session = Session {
                stop: stop.clone(),
                progressed: Arc::default(),
                state: state.clone(),
            };
            state.open();
            let outcome = attempt(self.name, (self.consume)(session.clone())).await;
            if stop.is_cancelled() {
                break;
            }
            let failure = outcome.as_ref().err().map(String::as_str);
            let midway = session.progressed.load(Ordering::Relaxed);
            state.record(failure, midway, start.elapsed());
            if midway {
                backoff.reset();
            }
            pause(backoff.next(), &stop).await;
        }
    }
}
