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

/// One call on a connection, over once dropped.
#[derive(Debug)]
pub(crate) struct Busy(Arc<Activity>);

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
        Busy(Arc::clone(self))
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

impl Drop for Busy {
    fn drop(&mut self) {
        let mut quiet_since = self
            .0
            .quiet_since
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        *quiet_since = Instant::now();
        self.0.calls.fetch_sub(1, Ordering::Relaxed);
    }
}
