//! How long the calls of the last moments took: a histogram that many threads write to without a lock.

use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};
use std::time::Duration;

/// A window is closed after this time, at the earliest.
const WINDOW: Duration = Duration::from_millis(100);
/// A window of fewer calls says little, and stays open.
const LEAST_CALLS: u32 = 10;
/// Each doubling of time is cut into so many buckets: a step is a fifth at most.
const STEPS: usize = 4;
/// Enough for two minutes in microseconds.
const BUCKETS: usize = 27 * STEPS;

/// What a window holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Window {
    /// Calls that ended.
    pub(super) calls: u32,
    /// Nine of ten calls took no longer.
    pub(super) p90: Duration,
    /// Most calls at one time.
    pub(super) peak: u32,
    /// How long it was open.
    pub(super) lasted: Duration,
}

/// The open window.
#[derive(Debug)]
pub(super) struct Measure {
    buckets: [AtomicU32; BUCKETS],
    calls: AtomicU32,
    peak: AtomicU32,
    /// In microseconds since the start.
    closes_at: AtomicU64,
}

impl Default for Measure {
    fn default() -> Self {
        Self {
            buckets: std::array::from_fn(|_| AtomicU32::new(0)),
            calls: AtomicU32::new(0),
            peak: AtomicU32::new(0),
            closes_at: AtomicU64::new(micros(WINDOW)),
        }
    }
}

impl Measure {
    /// A call took this long, one of `calls` at that time; tells whether the window should be closed.
    pub(super) fn record(&self, took: Duration, calls: u32, now: Duration) -> bool {
        self.buckets[bucket(micros(took))].fetch_add(1, Ordering::Relaxed);
        self.peak.fetch_max(calls, Ordering::Relaxed);
        let ended = self.calls.fetch_add(1, Ordering::Relaxed) + 1;
        ended >= LEAST_CALLS && micros(now) >= self.closes_at.load(Ordering::Relaxed)
    }

    /// What the window held, when it still is full; opens the next.
    pub(super) fn close(&self, now: Duration) -> Option<Window> {
        let due = self.closes_at.load(Ordering::Relaxed);
        if micros(now) < due {
            return None;
        }
        self.closes_at
            .store(micros(now + WINDOW), Ordering::Relaxed);
        let late = now.saturating_sub(Duration::from_micros(due));
        self.calls.store(0, Ordering::Relaxed);
        let peak = self.peak.swap(0, Ordering::Relaxed);
        let counts = self
            .buckets
            .each_ref()
            .map(|bucket| bucket.swap(0, Ordering::Relaxed));
        let calls: u32 = counts.iter().sum();
        let beyond = calls / 10;
        let mut longer = 0;
        let index = (0..BUCKETS).rev().find(|index| {
            longer += counts[*index];
            longer > beyond
        })?;
        Some(Window {
            calls,
            p90: Duration::from_micros(upper(index)),
            peak,
            lasted: WINDOW + late,
        })
    }
}

fn micros(time: Duration) -> u64 {
    u64::try_from(time.as_micros()).unwrap_or(u64::MAX)
}

/// The bucket of a time: its highest bit and the two that follow.
fn bucket(micros: u64) -> usize {
    let micros = micros.max(4);
    let exponent = micros.ilog2();
    let steps = usize::try_from((micros >> (exponent - 2)) & 3).unwrap_or(0);
    let exponent = usize::try_from(exponent).unwrap_or(0) - 2;
    (exponent * STEPS + steps).min(BUCKETS - 1)
}

/// The end of a bucket.
const fn upper(index: usize) -> u64 {
    let (exponent, steps) = (index / STEPS, index % STEPS);
    // Lossless: a bucket's number is small.
    let mut value = 5;
    let mut step = 0;
    while step < steps {
        value += 1;
        step += 1;
    }
    value << exponent
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_time_is_below_the_end_of_its_bucket_and_near_it() {
        for micros in [
            1, 4, 5, 7, 8, 100, 999, 1_000, 12_345, 1_000_000, 60_000_000,
        ] {
            let end = upper(bucket(micros));
            assert!(end > micros, "{micros} in a bucket up to {end}");
            assert!(
                micros < 4 || end <= micros + micros / 4 + 1,
                "{micros}: {end}"
            );
        }
    }

    #[test]
    fn a_window_knows_what_nine_of_ten_calls_took() {
        let measure = Measure::default();
        let (early, late) = (Duration::from_millis(1), Duration::from_millis(150));
        for _ in 0..90 {
            assert!(!measure.record(Duration::from_millis(2), 3, early));
        }
        for _ in 0..9 {
            measure.record(Duration::from_millis(80), 7, early);
        }
        assert!(measure.record(Duration::from_millis(80), 2, late));

        let window = measure.close(late).expect("full");

        assert_eq!((window.calls, window.peak), (100, 7));
        assert!(window.p90 < Duration::from_millis(3), "{:?}", window.p90);
        assert_eq!(measure.close(late), None);
    }
}
