//! Tasks that tick: on a period, and when they are woken.

use super::backoff::{Backoff, jitter};
use super::driver::{attempt, pause};
use super::state::TaskState;
use futures::future::BoxFuture;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::Notify;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

/// After failures, a task is tried again at least this often.
const LONGEST_BACKOFF: Duration = Duration::from_secs(30);

/// What a tick did.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Report {
    done: u64,
    more: bool,
}

impl Report {
    /// There was nothing to do.
    #[must_use]
    pub const fn idle() -> Self {
        Self {
            done: 0,
            more: false,
        }
    }

    /// So many things were done, and nothing is left.
    #[must_use]
    pub const fn did(done: u64) -> Self {
        Self { done, more: false }
    }

    /// So many things were done, and more is left: tick again at once.
    #[must_use]
    pub const fn more(done: u64) -> Self {
        Self { done, more: true }
    }
}

type Tick = dyn Fn() -> BoxFuture<'static, anyhow::Result<Report>> + Send + Sync;

/// Work that is looked at again and again.
pub struct Task {
    pub(super) name: &'static str,
    period: Duration,
    wake: Arc<Notify>,
    tick: Box<Tick>,
    pub(super) required: bool,
}

impl std::fmt::Debug for Task {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Task")
            .field("name", &self.name)
            .finish_non_exhaustive()
    }
}

impl Task {
    /// A task that ticks at once, then every `period`.
    pub fn new<F, R>(name: &'static str, period: Duration, tick: F) -> Self
    where
        F: Fn() -> R + Send + Sync + 'static,
        R: Future<Output = anyhow::Result<Report>> + Send + 'static,
    {
        let tick = Box::new(move || -> BoxFuture<'static, _> { Box::pin(tick()) });
        Self {
            name,
            period,
            wake: Arc::new(Notify::new()),
            tick,
            required: false,
        }
    }

    /// The service is not ready before a first tick has succeeded.
    #[must_use]
    pub const fn before_ready(mut self) -> Self {
        self.required = true;
        self
    }

    /// Ticks also when this is notified; a notification during a tick causes one more.
    #[must_use]
    pub fn wake(mut self, wake: Arc<Notify>) -> Self {
        self.wake = wake;
        self
    }

    /// Ticks until told to stop, and then stops after the tick.
    pub(super) async fn run(self, state: TaskState, stop: CancellationToken) {
        let mut backoff = Backoff::new(LONGEST_BACKOFF.max(self.period));
        state.ticks_every(self.period);
        while !stop.is_cancelled() {
            let start = Instant::now();
            state.begin();
            let outcome = attempt(self.name, (self.tick)()).await;
            let failure = outcome.as_ref().err().map(String::as_str);
            state.record(failure, false, start.elapsed());
            match outcome {
                Ok(report) => {
                    backoff.reset();
                    tracing::trace!(task.name = self.name, task.done = report.done, "tick");
                    if report.more {
                        tokio::task::yield_now().await;
                        continue;
                    }
                    tokio::select! {
                        biased;
                        () = pause(jitter(self.period), &stop) => {}
                        () = self.wake.notified() => {}
                    }
                }
                // Wake-ups wait as well, or a broken task that is woken often would spin.
                Err(_) => pause(backoff.next(), &stop).await,
            }
        }
    }
}
