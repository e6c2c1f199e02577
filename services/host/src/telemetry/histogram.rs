//! A histogram of fixed size: to record is two atomic additions, whoever looks and however seldom.

use metrics::{GaugeFn as _, HistogramFn};
use std::sync::atomic::{AtomicU64, Ordering};

/// Values, counted by the bounds between which they lie.
#[derive(Debug)]
pub(super) struct Buckets {
    bounds: &'static [f64],
    /// One for each bound, of the values that are no larger; and one for those beyond the last.
    counts: Box<[AtomicU64]>,
    /// The bits of a floating-point number.
    sum: AtomicU64,
}

/// What a histogram held at one moment.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Measured {
    pub(super) bounds: &'static [f64],
    /// Values of each bucket alone; the last one has no bound.
    pub(super) counts: Vec<u64>,
    pub(super) sum: f64,
}

impl Buckets {
    /// An empty one. The bounds ascend.
    pub(super) fn new(bounds: &'static [f64]) -> Self {
        Self {
            bounds,
            counts: (0..=bounds.len()).map(|_| AtomicU64::new(0)).collect(),
            sum: AtomicU64::new(0),
        }
    }

    /// What it holds now.
    pub(super) fn measured(&self) -> Measured {
        let counts = self.counts.iter();
        Measured {
            bounds: self.bounds,
            counts: counts.map(|count| count.load(Ordering::Relaxed)).collect(),
            sum: f64::from_bits(self.sum.load(Ordering::Relaxed)),
        }
    }
}

impl HistogramFn for Buckets {
    fn record(&self, value: f64) {
        // One such value would spoil the sum for ever.
        if !value.is_finite() {
            return;
        }
        let bucket = self.bounds.partition_point(|bound| *bound < value);
        self.counts[bucket].fetch_add(1, Ordering::Relaxed);
        self.sum.increment(value);
    }
}

impl Measured {
    /// How many values there are.
    pub(super) fn count(&self) -> u64 {
        self.counts.iter().sum()
    }

    /// Each bound with the number of values that are no larger.
    pub(super) fn cumulative(&self) -> impl Iterator<Item = (f64, u64)> {
        let mut below = 0;
        self.bounds
            .iter()
            .zip(&self.counts)
            .map(move |(bound, count)| {
                below += count;
                (*bound, below)
            })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn given_values_on_between_and_beyond_the_bounds_then_each_is_counted_once() {
        let buckets = Buckets::new(&[0.0, 1.0, 2.0]);
        for value in [0.0, 0.5, 1.0, 2.0, 7.5, f64::NAN, f64::INFINITY] {
            buckets.record(value);
        }

        let measured = buckets.measured();

        assert_eq!(measured.counts, [1, 2, 1, 1]);
        assert_eq!((measured.count(), measured.sum), (5, 11.0));
        let cumulative: Vec<_> = measured.cumulative().collect();
        assert_eq!(cumulative, [(0.0, 1), (1.0, 3), (2.0, 4)]);
    }

    #[test]
    fn given_threads_that_record_then_nothing_is_lost() {
        let buckets = Buckets::new(&[1.0]);
        std::thread::scope(|scope| {
            for _ in 0..4 {
                scope.spawn(|| (0..10_000).for_each(|_| buckets.record(2.0)));
            }
        });

        let measured = buckets.measured();

        assert_eq!((measured.counts, measured.sum), (vec![0, 40_000], 80_000.0));
    }
}
