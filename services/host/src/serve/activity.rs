//! The calls on a connection: how many, and since when none.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tokio::time::Instant;

/// The calls on a connection.
#[derive(Debug)]
pub(super) struct Activity {
    calls: AtomicUsize,
    quiet_since: Mutex<Instant>,
}

/// One call on a connection, over once dropped. It counts while the service has something to do for it, and
/// not while its client leaves the answer where it is.
#[derive(Debug)]
pub(crate) struct Busy {
    activity: Arc<Activity>,
    resting: bool,
}

impl Activity {
    pub(super) fn new() -> Self {
        Self {
            calls: AtomicUsize::new(0),
            quiet_since: Mutex::new(Instant::now()),
        }
    }

    /// A call begins.
    pub(super) fn begin(self: &Arc<Self>) -> Busy {
        self.calls.fetch_add(1, Ordering::Relaxed);
        Busy {
            activity: Arc::clone(self),
            resting: false,
        }
    }

    /// A call is over, or waits for its client.
    fn end(&self) {
        let mut quiet_since = self
            .quiet_since
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        *quiet_since = Instant::now();
        self.calls.fetch_sub(1, Ordering::Relaxed);
    }

    /// For how long there has been no call.
    fn quiet_for(&self) -> Duration {
        if self.calls.load(Ordering::Relaxed) > 0 {
            return Duration::ZERO;
        }
        self.quiet_since
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .elapsed()
    }

    /// Waits until there has been no call for so long. Calls do not wake it: it looks again when the time
    /// could be up.
    pub(super) async fn quiet(&self, limit: Duration) {
        loop {
            let quiet = self.quiet_for();
            if quiet >= limit {
                return;
            }
            tokio::time::sleep(limit.saturating_sub(quiet)).await;
        }
    }
}

impl Busy {
    /// The answer waits for the client.
    pub(crate) fn rest(&mut self) {
        if !std::mem::replace(&mut self.resting, true) {
            self.activity.end();
        }
    }

    /// The client takes more of the answer.
    pub(crate) fn resume(&mut self) {
        if std::mem::replace(&mut self.resting, false) {
            self.activity.calls.fetch_add(1, Ordering::Relaxed);
        }
    }
}

impl Drop for Busy {
    fn drop(&mut self) {
        self.rest();
    }
}
