//! The limit that follows how long calls take, after Envoy's gradient controller.
//!
//! `limit x target / p90 + sqrt(limit)`: it shrinks when calls take longer than they do without company,
//! and otherwise grows. What they take without company is measured when there is little work, and when
//! there never is, by cutting the limit down for a moment. Latencies that nobody minds do not shrink it: work
//! that is done in batches takes longer in company and yet gets more done.

use super::window::Window;
use std::ops::RangeInclusive;
use std::time::Duration;

/// How often the latency without company is measured anew.
const EPOCH: Duration = Duration::from_secs(60);
/// The same at the start, when nothing is known.
const FIRST_EPOCH: Duration = Duration::from_secs(1);
/// So many calls under the limit cut down are enough.
const PROBE_CALLS: u32 = 50;
/// The part of the limit that remains then.
const PROBE_PART: u32 = 4;
/// Latency may grow by this part over the least before the limit shrinks, in percent.
const BUFFER_PERCENT: u64 = 25;
/// The limit changes by no more than this factor at a time, in thousandths.
const GRADIENT: RangeInclusive<u64> = 500..=2_000;

/// The limit and what it goes by.
#[derive(Debug)]
pub(super) struct Gradient {
    bounds: RangeInclusive<u32>,
    tolerated: Duration,
    limit: u32,
    /// What calls take without company, as far as it is known.
    least: Option<Duration>,
    epoch: Epoch,
}

#[derive(Debug)]
enum Epoch {
    /// Until then; with the least latency of its moments of little work, if there were any.
    Open {
        until: Duration,
        least: Option<Duration>,
    },
    /// The limit is cut down: so many calls yet to see, and the least latency so far.
    Probe { calls: u32, least: Option<Duration> },
}

impl Gradient {
    /// Begins with the most that is allowed.
    pub(super) fn new(bounds: RangeInclusive<u32>, tolerated: Duration) -> Self {
        Self {
            limit: *bounds.end(),
            bounds,
            tolerated,
            least: None,
            epoch: Epoch::Open {
                until: FIRST_EPOCH,
                least: None,
            },
        }
    }

    /// Takes a window into account; gives the limit that holds from now on.
    pub(super) fn observe(&mut self, window: &Window, now: Duration) -> u32 {
        let quiet = window.peak.saturating_mul(2) <= self.limit;
        // A window under the limit cut down says nothing about the limit itself.
        let probed = self.is_probing();
        self.learn(window, quiet, now);
        let probing = self.is_probing();
        if !probed && !probing {
            self.adapt(window, quiet);
        }
        let limit = if probing {
            self.limit / PROBE_PART
        } else {
            self.limit
        };
        limit.clamp(*self.bounds.start(), *self.bounds.end())
    }

    const fn is_probing(&self) -> bool {
        matches!(self.epoch, Epoch::Probe { .. })
    }

    /// Keeps what calls take without company up to date.
    fn learn(&mut self, window: &Window, quiet: bool, now: Duration) {
        match &mut self.epoch {
            Epoch::Open { until, least } => {
                if quiet {
                    *least = shorter(*least, window.p90);
                    self.least = shorter(self.least, window.p90);
                }
                if now < *until {
                    return;
                }
                if least.is_some() {
                    self.least = *least;
                    self.epoch = Epoch::open(now);
                } else {
                    self.epoch = Epoch::Probe {
                        calls: PROBE_CALLS,
                        least: None,
                    };
                }
            }
            Epoch::Probe { calls, least } => {
                *least = shorter(*least, window.p90);
                *calls = calls.saturating_sub(window.calls);
                if *calls == 0 {
                    self.least = *least;
                    self.epoch = Epoch::open(now);
                }
            }
        }
    }

    /// One step of the limit. Calls that take long while there are few do so for reasons of their own.
    fn adapt(&mut self, window: &Window, quiet: bool) {
        let without_company = self.least.unwrap_or_default().as_micros();
        let target = without_company * u128::from(100 + BUFFER_PERCENT) / 100;
        let target = target.max(self.tolerated.as_micros());
        let gradient = target * 1_000 / window.p90.as_micros().max(1);
        let gradient = u64::try_from(gradient)
            .unwrap_or(u64::MAX)
            .clamp(*GRADIENT.start(), *GRADIENT.end());
        if gradient < 1_000 && quiet {
            return;
        }
        let next = u64::from(self.limit) * gradient / 1_000 + u64::from(self.limit.isqrt());
        self.limit = u32::try_from(next)
            .unwrap_or(u32::MAX)
            .clamp(*self.bounds.start(), *self.bounds.end());
    }
}

impl Epoch {
    /// Give or take a tenth, so that replicas do not cut their limits down together.
    fn open(now: Duration) -> Self {
        Self::Open {
            until: now + EPOCH.mul_f64(0.9 + 0.2 * fastrand::f64()),
            least: None,
        }
    }
}

fn shorter(known: Option<Duration>, found: Duration) -> Option<Duration> {
    Some(known.map_or(found, |known| known.min(found)))
}

#[cfg(test)]
mod tests {
    use super::*;

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
            };
            limits.push(gradient.observe(&window, Duration::from_millis(100) * tick));
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
        };
        gradient.observe(&window(1), Duration::from_secs(1));
        assert_eq!(
            gradient.observe(&window(900), Duration::from_secs(2)),
            1_000
        );
    }

    #[test]
    fn the_limit_stays_within_its_bounds() {
        let mut gradient = Gradient::new(16..=1_000, Duration::from_millis(1));
        let limits = run(&mut gradient, 1_000, 1, 10, 60);
        assert!(limits.iter().all(|limit| (16..=1_000).contains(limit)));
        assert!(limits.last() < Some(&30), "{limits:?}");
    }
}
