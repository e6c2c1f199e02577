//! How often a replica is pinged: half as often each time it says that this was too often, as in gRPC's A8.
//!
//! Servers of gRPC's other implementations cut connections that are pinged more often than they like, and least of all
//! do they like pings while nothing is under way. Whoever has said so once is not pinged without a call any more.

use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

/// No server is asked to put up with less: of their own accord they bear a ping every five minutes.
const LONGEST: Duration = Duration::from_secs(600);
/// So many doublings make an hour of a millisecond.
const MAX_DOUBLINGS: u32 = 22;

/// How often a replica is pinged.
#[derive(Debug)]
pub(super) struct Keepalive {
    first: Duration,
    doublings: AtomicU32,
}

/// How often one connection is pinged.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Pings {
    pub(super) interval: Duration,
    /// Also while no call is under way.
    pub(super) while_idle: bool,
    doublings: u32,
}

impl Keepalive {
    /// As often as this, as long as nobody minds.
    pub(super) const fn new(first: Duration) -> Self {
        Self {
            first,
            doublings: AtomicU32::new(0),
        }
    }

    /// How often a new connection is pinged.
    pub(super) fn pings(&self) -> Pings {
        let doublings = self.doublings.load(Ordering::Relaxed);
        let grown = self.first.saturating_mul(1 << doublings);
        Pings {
            interval: grown.min(LONGEST.max(self.first)),
            while_idle: doublings == 0,
            doublings,
        }
    }

    /// These were too many. Several connections that are cut together say it once.
    pub(super) fn too_many(&self, pings: Pings) {
        let doublings = (pings.doublings + 1).min(MAX_DOUBLINGS);
        self.doublings.fetch_max(doublings, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    #[test]
    fn who_minds_is_pinged_half_as_often_and_only_during_calls() {
        let keepalive = Keepalive::new(2 * SECOND);
        let first = keepalive.pings();
        assert_eq!((first.interval, first.while_idle), (2 * SECOND, true));

        keepalive.too_many(first);
        keepalive.too_many(first);

        let second = keepalive.pings();
        assert_eq!((second.interval, second.while_idle), (4 * SECOND, false));
    }

    #[test]
    fn the_wait_has_an_end() {
        let keepalive = Keepalive::new(2 * SECOND);
        for _ in 0..100 {
            keepalive.too_many(keepalive.pings());
        }
        assert_eq!(keepalive.pings().interval, LONGEST);
        let rare = Keepalive::new(2 * LONGEST);
        rare.too_many(rare.pings());
        assert_eq!(rare.pings().interval, 2 * LONGEST);
    }
}
