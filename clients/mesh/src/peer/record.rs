//! How the calls to a replica went lately, and when that is too bad.
//!
//! A run of failures is, and so is a poor rate of success. The rate is counted exactly, in buckets of a
//! second.

use super::breaker::Outcome;
use crate::metrics::Ejection;
use std::time::Duration;
use tokio::time::Instant;

/// So many failures in a row are too many.
pub(super) const STREAK: u32 = 7;
/// The rate of success is counted over so many buckets.
const BUCKETS: usize = 10;
/// The time that one bucket covers.
const BUCKET: Duration = Duration::from_secs(1);
/// Fewer calls than this say nothing about the rate.
const MIN_CALLS: u32 = 5;
/// Fewer successes in a hundred are too few.
const MIN_SUCCESS_PERCENT: u32 = 80;

#[derive(Debug, Clone, Copy, Default)]
struct Bucket {
    calls: u32,
    successes: u32,
}

/// How the calls to a replica went lately.
#[derive(Debug)]
pub(super) struct Record {
    streak: u32,
    buckets: [Bucket; BUCKETS],
    /// The bucket in use and since when.
    current: usize,
    since: Instant,
}

impl Record {
    /// Nothing is known yet.
    pub(super) fn new(now: Instant) -> Self {
        Self {
            streak: 0,
            buckets: [Bucket::default(); BUCKETS],
            current: 0,
            since: now,
        }
    }

    /// Counts an outcome; what is too bad, when something is.
    pub(super) fn count(&mut self, outcome: Outcome, now: Instant) -> Option<Ejection> {
        self.turn(now);
        let good = outcome == Outcome::Good;
        let bucket = &mut self.buckets[self.current];
        bucket.calls += 1;
        bucket.successes += u32::from(good);
        match outcome {
            Outcome::Good => self.streak = 0,
            Outcome::Bad => self.streak += 1,
            Outcome::Busy | Outcome::Unknown => {}
        }
        if good {
            return None;
        }
        if self.streak >= STREAK {
            return Some(Ejection::Streak);
        }
        let calls: u32 = self.buckets.iter().map(|bucket| bucket.calls).sum();
        let successes: u32 = self.buckets.iter().map(|bucket| bucket.successes).sum();
        let poor = calls >= MIN_CALLS && successes * 100 < calls * MIN_SUCCESS_PERCENT;
        poor.then_some(Ejection::Rate)
    }

    /// Empties the buckets whose time has come round again.
    fn turn(&mut self, now: Instant) {
        for _ in 0..BUCKETS {
            if now.saturating_duration_since(self.since) < BUCKET {
                return;
            }
            self.since += BUCKET;
            self.current = (self.current + 1) % BUCKETS;
            self.buckets[self.current] = Bucket::default();
        }
        self.since = now;
    }
}
