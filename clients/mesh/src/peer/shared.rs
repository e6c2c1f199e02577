//! What all replicas of a peer share.

use super::contract::Contracts;
use super::load::SEED;
use super::way::Way;
use crate::chain::Hop;
use crate::metrics::PeerMeter;
use crate::policy::PolicyTable;
use crate::tuning::Tuning;
use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::time::Duration;
use tokio::runtime::Handle;
use tokio::sync::Notify;
use tokio::sync::futures::Notified;
use tokio::time::Instant;

/// What all replicas of a peer share.
pub(super) struct Shared {
    /// The name by which services know the peer.
    pub(super) peer: Arc<str>,
    pub(super) tuning: Tuning,
    pub(super) way: Way,
    /// What the peer is told of who calls.
    pub(super) hop: Hop,
    /// The contracts that replicas serve.
    pub(super) contracts: Contracts,
    pub(super) meter: PeerMeter,
    /// Drives the connections, whatever runtime the calls come from.
    pub(super) runtime: Handle,
    epoch: Instant,
    /// A replica cannot be reached: what is known of where they are may be out of date.
    pub(super) doubted: Notify,
    changed: Notify,
    waiting: AtomicUsize,
    /// What answers take lately, of whichever replica, in nanoseconds; zero while nothing is known.
    typical: AtomicU64,
}

impl fmt::Debug for Shared {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Shared")
            .field("peer", &self.peer)
            .field("tuning", &self.tuning)
            .finish_non_exhaustive()
    }
}

/// A call that waits for a replica.
pub(super) struct Waiting<'a>(&'a Shared);

impl Shared {
    pub(super) fn new(
        peer: Arc<str>,
        policies: PolicyTable,
        tuning: Tuning,
        way: Way,
        hop: Hop,
        runtime: Handle,
    ) -> Self {
        Self {
            meter: PeerMeter::new(way.books, Arc::clone(&peer), way.secure),
            peer,
            tuning,
            way,
            hop,
            contracts: Contracts::new(policies),
            runtime,
            epoch: Instant::now(),
            doubted: Notify::new(),
            changed: Notify::new(),
            waiting: AtomicUsize::new(0),
            typical: AtomicU64::new(0),
        }
    }

    /// A replica answered after so long.
    pub(super) fn answered(&self, after: Duration) {
        let sample = u64::try_from(after.as_nanos()).unwrap_or(u64::MAX);
        let old = self.typical.load(Ordering::Relaxed);
        let new = if old == 0 {
            sample
        } else {
            old - old / 8 + sample / 8
        };
        // Two at once may lose one sample: it is an estimate.
        self.typical.store(new, Ordering::Relaxed);
    }

    /// What a replica without a past is taken to need: what the others do, so that it gets its share.
    pub(super) fn seed(&self) -> Duration {
        match self.typical.load(Ordering::Relaxed) {
            0 => SEED,
            nanos => Duration::from_nanos(nanos).min(SEED),
        }
    }

    /// Milliseconds since the peer became known.
    pub(super) fn millis(&self, now: Instant) -> u64 {
        let age = now.saturating_duration_since(self.epoch);
        u64::try_from(age.as_millis()).unwrap_or(u64::MAX)
    }

    /// Counts the caller among those that wait.
    pub(super) fn wait(&self) -> Waiting<'_> {
        self.waiting.fetch_add(1, Ordering::SeqCst);
        Waiting(self)
    }

    /// Something changed that calls may wait for.
    pub(super) fn change(&self) {
        if self.waiting.load(Ordering::SeqCst) > 0 {
            self.changed.notify_waiters();
        }
    }
}

impl Waiting<'_> {
    /// The next change, also one that happens before it is awaited.
    pub(super) fn change(&self) -> Notified<'_> {
        self.0.changed.notified()
    }
}

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        self.0.waiting.fetch_sub(1, Ordering::SeqCst);
    }
}
