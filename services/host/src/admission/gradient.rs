//! The limit that follows how long calls take.
//!
//! While calls take no longer than they may, the limit grows, by the gradient of Envoy's adaptive concurrency filter:
//! `limit x target / p90 + sqrt(limit)`. When they take longer, there are as many in flight as can end in the time they
//! may take: `rate x target + sqrt(rate x target)`, after Little's law. The rate at which calls end says at once what the
//! service can do, where latency says it only when all that was let in before has ended, and a limit that follows latency
//! down goes too far.
//!
//! Calls may take what is tolerated, or a little longer than they take without company: work that is done in batches
//! takes longer in company and yet gets more done. What they take without company is learnt whenever few are in flight.
//! That needs no probe as Envoy's does, which refuses calls only to measure: where calls take long in company and nobody
//! knows what they take without, the limit shrinks until few are in flight, and is wiser then.

use super::window::Window;
use std::ops::RangeInclusive;
use std::time::Duration;

/// Latency may grow by this part over that of few calls before the limit shrinks, in percent.
const BUFFER_PERCENT: u128 = 25;
/// The limit grows by no more than this factor at a time, in thousandths.
const STEEPEST: u64 = 2_000;
/// What growing comes to is waited for no longer than this.
const LONGEST_WAIT: Duration = Duration::from_secs(1);
/// What a new window says counts one part in so many.
const SMOOTHING: u32 = 4;

/// The limit and what it goes by.
#[derive(Debug)]
pub(super) struct Gradient {
    bounds: RangeInclusive<u32>,
    tolerated: Duration,
    limit: u32,
    /// What calls take without company, as far as it is known.
    alone: Option<Duration>,
    /// The time from the end of one call to the end of the next.
    interval: Option<Duration>,
    /// Until then, calls end that were let in before the limit grew: they say nothing about the new one.
    settled: Duration,
}

impl Gradient {
    /// Begins with the most that is allowed.
    pub(super) const fn new(bounds: RangeInclusive<u32>, tolerated: Duration) -> Self {
        Self {
            limit: *bounds.end(),
            bounds,
            tolerated,
            alone: None,
            interval: None,
            settled: Duration::ZERO,
        }
    }

    /// Takes a window into account; gives the limit that holds from now on.
    pub(super) fn observe(&mut self, window: &Window, now: Duration) -> u32 {
        let interval = blend(self.interval, window.lasted / window.calls.max(1));
        self.interval = Some(interval);
        // Calls that take long while there are few do so for reasons of their own.
        let few = window.peak <= *self.bounds.start();
        if few {
            self.alone = Some(blend(self.alone, window.p90));
        }
        let target = self.target();
        if window.p90 <= target {
            self.grow(window.p90, target, now);
        } else if !few {
            let ends = target.as_nanos() / interval.as_nanos().max(1);
            let ends = u64::try_from(ends).unwrap_or(u64::MAX);
            self.limit = self
                .bounded(ends.saturating_add(ends.isqrt()))
                .min(self.limit);
        }
        self.limit
    }

    /// How long nine of ten calls may take.
    fn target(&self) -> Duration {
        let alone = self.alone.unwrap_or_default().as_micros();
        let micros = u64::try_from(alone * (100 + BUFFER_PERCENT) / 100).unwrap_or(u64::MAX);
        Duration::from_micros(micros).max(self.tolerated)
    }

    fn grow(&mut self, p90: Duration, target: Duration, now: Duration) {
        if now < self.settled || self.limit == *self.bounds.end() {
            return;
        }
        let gradient = target.as_micros() * 1_000 / p90.as_micros().max(1);
        let gradient = u64::try_from(gradient).unwrap_or(u64::MAX).min(STEEPEST);
        let grown = u64::from(self.limit) * gradient / 1_000;
        self.limit = self.bounded(grown + u64::from(self.limit.isqrt()));
        self.settled = now + p90.min(LONGEST_WAIT);
    }

    fn bounded(&self, limit: u64) -> u32 {
        u32::try_from(limit)
            .unwrap_or(u32::MAX)
            .clamp(*self.bounds.start(), *self.bounds.end())
    }
}

fn blend(known: Option<Duration>, found: Duration) -> Duration {
    (known.unwrap_or(found) * (SMOOTHING - 1) + found) / SMOOTHING
}

#[cfg(test)]
mod tests {
    use super::*;

    const TICK: Duration = Duration::from_millis(100);

    /// A service that does `capacity` calls a second, each of which takes `alone` when alone, under more
    /// work than it can do: what is in flight is what the limit allows.
    fn run(
        gradient: &mut Gradient,
        limit: u32,
        alone: u64,
        capacity: u32,
        seconds: u32,
    ) -> Vec<u32> {
        let mut limits = vec![limit];
        for tick in 1..=seconds * 10 {
            let in_flight = *limits.last().expect("one");
            let queueing = u64::from(in_flight) * 1_000_000 / u64::from(capacity);
            let window = Window {
                calls: capacity / 10,
                p90: Duration::from_micros(queueing.max(alone)),
                peak: in_flight,
                lasted: TICK,
            };
            limits.push(gradient.observe(&window, TICK * tick));
        }
        limits
    }

    #[test]
    fn under_overload_the_limit_settles_where_latency_is_tolerated_and_stays_there() {
        let tolerated = Duration::from_millis(100);
        let mut gradient = Gradient::new(16..=5_000, tolerated);

        // 100 ms at 1,000 calls a second are 100 calls in flight.
        let limits = run(&mut gradient, 5_000, 1_000, 1_000, 600);

        let late = &limits[100..];
        assert!(
            late.iter().all(|limit| *limit <= 140),
            "{:?}",
            late.iter().max()
        );
        let full = late.iter().filter(|limit| **limit >= 90).count();
        assert!(full * 100 >= late.len() * 95, "{full} of {}", late.len());
    }

    #[test]
    fn the_limit_grows_again_when_the_work_gets_easy() {
        let mut gradient = Gradient::new(16..=1_000, Duration::from_millis(10));
        let limit = *run(&mut gradient, 1_000, 1_000, 1_000, 30)
            .last()
            .expect("one");
        assert!(limit < 100, "{limit}");

        let limits = run(&mut gradient, limit, 1_000, 1_000_000, 30);

        assert_eq!(limits.last(), Some(&1_000));
    }

    #[test]
    fn long_calls_without_company_do_not_shrink_the_limit() {
        let mut gradient = Gradient::new(16..=1_000, Duration::from_millis(10));
        let window = |millis| Window {
            calls: 20,
            p90: Duration::from_millis(millis),
            peak: 5,
            lasted: TICK,
        };
        gradient.observe(&window(1), Duration::from_secs(1));
        assert_eq!(
            gradient.observe(&window(900), Duration::from_secs(2)),
            1_000
        );
    }

    #[test]
    fn too_many_calls_are_found_out_however_high_the_limit_begins() {
        let mut gradient = Gradient::new(16..=10_000, Duration::from_millis(100));
        // 200 callers, each of whom has one call in flight, of a service that does 100 a second.
        let mut limit = 10_000;
        for tick in 1..=600 {
            let in_flight = limit.min(200);
            let window = Window {
                calls: 10,
                p90: Duration::from_millis(u64::from(in_flight) * 10),
                peak: in_flight,
                lasted: TICK,
            };
            limit = gradient.observe(&window, TICK * tick);
        }
        assert!(limit <= 40, "{limit}");
    }

    #[test]
    fn work_that_takes_long_by_nature_is_let_in_again() {
        let mut gradient = Gradient::new(16..=1_000, Duration::from_millis(100));
        let mut limit = 1_000;
        for tick in 1..=600 {
            let window = Window {
                // Each takes half a second.
                calls: limit.min(200) / 5,
                p90: Duration::from_millis(500),
                peak: limit.min(200),
                lasted: TICK,
            };
            limit = gradient.observe(&window, TICK * tick);
        }
        assert_eq!(limit, 1_000);
    }

    #[test]
    fn the_limit_stays_within_its_bounds() {
        let mut gradient = Gradient::new(16..=1_000, Duration::from_millis(1));
        let limits = run(&mut gradient, 1_000, 1, 10, 60);
        assert!(limits.iter().all(|limit| (16..=1_000).contains(limit)));
        assert!(limits.last() < Some(&30), "{limits:?}");
    }
}
