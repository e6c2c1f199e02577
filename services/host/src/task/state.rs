//! What is known of each task, for the admin port and the metrics.

use cleave_kernel::{Clock as _, SystemClock, Timestamp};
use metrics::{counter, histogram};
use serde::Serialize;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tokio::time::Instant;

/// What is known of one task. Clones are the same object.
#[derive(Debug, Clone)]
pub(crate) struct TaskState {
    service: Arc<str>,
    name: &'static str,
    /// Whether the service is ready only after a first success.
    required: bool,
    inner: Arc<Mutex<Known>>,
}

/// What the admin port shows.
#[derive(Debug, Clone, Default, Serialize)]
pub(crate) struct Known {
    runs: u64,
    failures_in_a_row: u32,
    last_run: Option<Timestamp>,
    last_success: Option<Timestamp>,
    last_error: Option<String>,
    /// How often it ticks; nothing where it follows a stream.
    period_ms: Option<u64>,
    /// How long the tick or the stream that is under way has been so.
    running_for_ms: Option<u64>,
    /// When the tick that is under way began.
    #[serde(skip)]
    began: Option<Instant>,
    /// When the stream that is followed was opened.
    #[serde(skip)]
    opened: Option<Instant>,
    /// The failure that was logged last, until it is over.
    #[serde(skip)]
    told: Option<String>,
}

impl TaskState {
    pub(super) fn new(service: Arc<str>, name: &'static str, required: bool) -> Self {
        Self {
            service,
            name,
            required,
            inner: Arc::default(),
        }
    }

    pub(crate) const fn name(&self) -> &'static str {
        self.name
    }

    pub(crate) fn known(&self) -> Known {
        let mut known = self.lock().clone();
        let since = known.began.or(known.opened);
        known.running_for_ms = since.map(|since| millis(since.elapsed()));
        known
    }

    /// It ticks this often.
    pub(super) fn ticks_every(&self, period: Duration) {
        self.lock().period_ms = Some(millis(period));
    }

    /// A stream is opened.
    pub(super) fn open(&self) {
        self.lock().opened = Some(Instant::now());
    }

    /// A tick begins.
    pub(super) fn begin(&self) {
        self.lock().began = Some(Instant::now());
    }

    /// What about the task keeps the service from being ready. That it fails does not: what it needs may be
    /// away, and the service is there for others all the same.
    pub(super) fn trouble(&self, patience: Duration) -> Option<String> {
        let known = self.lock();
        if self.required && known.last_success.is_none() {
            return Some(format!("task {} has not succeeded yet", self.name));
        }
        let hangs = known.began?.elapsed() > patience;
        hangs.then(|| {
            format!(
                "task {} hangs: one tick takes more than {patience:?}",
                self.name
            )
        })
    }

    fn lock(&self) -> MutexGuard<'_, Known> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Something arrives on the stream that is followed.
    pub(super) fn progress(&self) {
        self.succeeded(&mut self.lock());
    }

    /// Takes note of a run; a failure is logged when it is the first in a row, and its end as well. That a stream
    /// breaks `midway` is no failure worth a line unless it cannot be opened again either: it happens whenever the
    /// peer is released.
    pub(super) fn record(&self, failure: Option<&str>, midway: bool, elapsed: Duration) {
        let label = failure.map_or("ok", |_| "error");
        let service = Arc::clone(&self.service);
        counter!("cleave.task.runs", "service" => service, "task" => self.name, "outcome" => label)
            .increment(1);
        let service = Arc::clone(&self.service);
        histogram!("cleave.task.duration", "service" => service, "task" => self.name)
            .record(elapsed);
        let mut known = self.lock();
        known.began = None;
        known.opened = None;
        known.runs += 1;
        known.last_run = Some(SystemClock.now());
        let Some(problem) = failure else {
            return self.succeeded(&mut known);
        };
        known.failures_in_a_row += 1;
        if midway || known.told.as_deref() == Some(problem) {
            tracing::debug!(task.name = self.name, problem, "task failed");
        } else {
            tracing::warn!(
                task.name = self.name,
                problem,
                "task failed; will try again"
            );
            known.told = Some(problem.to_owned());
        }
        known.last_error = Some(problem.to_owned());
    }

    fn succeeded(&self, known: &mut Known) {
        let failures = std::mem::take(&mut known.failures_in_a_row);
        if known.told.take().is_some() {
            tracing::info!(
                task.name = self.name,
                task.failures = failures,
                "task recovered"
            );
        }
        known.last_success = Some(SystemClock.now());
        known.last_error = None;
    }
}

fn millis(span: Duration) -> u64 {
    u64::try_from(span.as_millis()).unwrap_or(u64::MAX)
}
