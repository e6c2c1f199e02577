//! Waits that grow from failure to failure.

use std::time::Duration;

/// The first wait.
const FIRST: Duration = Duration::from_millis(100);
/// Each wait is longer by this factor, in percent.
const GROWTH_PERCENT: u32 = 160;
/// Spread around each wait, in percent, so that replicas do not move in step.
const JITTER_PERCENT: std::ops::RangeInclusive<u32> = 80..=120;

/// Waits that grow from failure to failure, up to a limit.
#[derive(Debug)]
pub(super) struct Backoff {
    next: Duration,
    longest: Duration,
}

impl Backoff {
    pub(super) const fn new(longest: Duration) -> Self {
        Self {
            next: FIRST,
            longest,
        }
    }

    /// The wait after one more failure.
    pub(super) fn next(&mut self) -> Duration {
        let wait = self.next.min(self.longest);
        self.next = (wait.saturating_mul(GROWTH_PERCENT) / 100).min(self.longest);
        jitter(wait)
    }

    /// Something went well.
    pub(super) const fn reset(&mut self) {
        self.next = FIRST;
    }
}

/// The wait, a little shorter or longer.
pub(super) fn jitter(wait: Duration) -> Duration {
    wait.saturating_mul(fastrand::u32(JITTER_PERCENT)) / 100
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_grow_to_the_limit_and_start_over_after_success() {
        let mut backoff = Backoff::new(Duration::from_secs(1));
        let waits: Vec<Duration> = (0..20).map(|_| backoff.next()).collect();
        assert!(waits[0] <= Duration::from_millis(120));
        assert!(
            waits[19] >= Duration::from_millis(800) && waits[19] <= Duration::from_millis(1200)
        );
        backoff.reset();
        assert!(backoff.next() <= Duration::from_millis(120));
    }
}
