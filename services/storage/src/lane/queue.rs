//! What becomes of those who wait for a lane. Whoever gets one at once leaves no trace here and pays nothing.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

/// Counts waits.
#[derive(Debug, Default)]
pub(crate) struct Queue {
    joined: AtomicU64,
    lost_patience: AtomicU64,
    waited_micros: AtomicU64,
}

/// A place in the queue. Its time is counted whether its holder gets a lane, loses patience or goes away.
pub(super) struct Place<'a> {
    queue: &'a Queue,
    since: Instant,
}

impl Queue {
    pub(super) fn join(&self) -> Place<'_> {
        self.joined.fetch_add(1, Ordering::Relaxed);
        Place {
            queue: self,
            since: Instant::now(),
        }
    }

    pub(super) fn lost_patience(&self) {
        self.lost_patience.fetch_add(1, Ordering::Relaxed);
    }

    /// How many had to wait.
    pub(crate) fn waits(&self) -> u64 {
        self.joined.load(Ordering::Relaxed)
    }

    /// How many of them got no lane in time.
    pub(crate) fn timeouts(&self) -> u64 {
        self.lost_patience.load(Ordering::Relaxed)
    }

    /// How long they all waited.
    pub(crate) fn waited(&self) -> Duration {
        Duration::from_micros(self.waited_micros.load(Ordering::Relaxed))
    }
}

impl Drop for Place<'_> {
    fn drop(&mut self) {
        let waited = u64::try_from(self.since.elapsed().as_micros()).unwrap_or(u64::MAX);
        self.queue
            .waited_micros
            .fetch_add(waited, Ordering::Relaxed);
    }
}
