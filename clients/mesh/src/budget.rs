//! How much of the traffic to a peer may be repetitions.

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tokio::time::Instant;

/// Repetitions may be this part of the calls, in percent.
const PERCENT: u32 = 20;
/// So many are allowed however few calls there are.
const FLOOR: u32 = 3;
/// Calls are counted over so many buckets.
const BUCKETS: usize = 10;
/// The time that one bucket covers.
const BUCKET: Duration = Duration::from_secs(1);

#[derive(Debug, Clone, Copy, Default)]
struct Bucket {
    calls: u32,
    retries: u32,
}

#[derive(Debug)]
struct Window {
    buckets: [Bucket; BUCKETS],
    current: usize,
    since: Instant,
}

/// How much of the traffic to a peer may be repetitions.
#[derive(Debug)]
pub(crate) struct Budget(Mutex<Window>);

impl Budget {
    pub(crate) fn new() -> Self {
        Self(Mutex::new(Window {
            buckets: [Bucket::default(); BUCKETS],
            current: 0,
            since: Instant::now(),
        }))
    }

    /// A call begins.
    pub(crate) fn call(&self, now: Instant) {
        let mut window = self.window();
        window.turn(now);
        let current = window.current;
        window.buckets[current].calls += 1;
    }

    /// Takes a repetition out of the budget, when there is one left.
    pub(crate) fn take(&self, now: Instant) -> bool {
        let mut window = self.window();
        window.turn(now);
        let allowed = window.retries() < window.allowed();
        if allowed {
            let current = window.current;
            window.buckets[current].retries += 1;
        }
        allowed
    }

    /// What is left of it, in percent.
    pub(crate) fn left(&self, now: Instant) -> u32 {
        let mut window = self.window();
        window.turn(now);
        let (allowed, retries) = (window.allowed(), window.retries());
        allowed.saturating_sub(retries).saturating_mul(100) / allowed
    }

    fn window(&self) -> MutexGuard<'_, Window> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Window {
    /// How many repetitions the recent calls allow.
    fn allowed(&self) -> u32 {
        let calls: u32 = self.buckets.iter().map(|bucket| bucket.calls).sum();
        FLOOR.saturating_add(calls.saturating_mul(PERCENT) / 100)
    }

    /// How many there were.
    fn retries(&self) -> u32 {
        self.buckets.iter().map(|bucket| bucket.retries).sum()
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

#[cfg(test)]
mod tests {
    use super::*;

    fn taken(budget: &Budget, now: Instant) -> u32 {
        (0..1_000).map(|_| u32::from(budget.take(now))).sum()
    }

    #[test]
    fn repetitions_are_a_fifth_of_the_recent_calls_and_a_few() {
        let (budget, now) = (Budget::new(), Instant::now());
        for _ in 0..100 {
            budget.call(now);
        }
        assert_eq!(budget.left(now), 100);
        assert_eq!(taken(&budget, now), 20 + FLOOR);
        assert_eq!(budget.left(now), 0);
        assert_eq!(taken(&budget, now + BUCKET * 11), FLOOR);
    }
}
