//! Histograms: the difference of two, the sum of several, and quantiles.

use std::cmp::Ordering;
use std::collections::BTreeMap;

/// The bound of a bucket, which orders like a number and is never NaN.
#[derive(Debug, Clone, Copy, PartialEq)]
struct Bound(f64);

impl Eq for Bound {}

impl PartialOrd for Bound {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Bound {
    fn cmp(&self, other: &Self) -> Ordering {
        self.0.total_cmp(&other.0)
    }
}

/// A histogram of fixed buckets, each counting what is no larger than its bound.
#[derive(Debug, Clone, Default, PartialEq)]
pub(crate) struct Histogram {
    buckets: BTreeMap<Bound, f64>,
}

impl Histogram {
    /// So many were no larger than `bound`. What is not a number counts for nothing.
    pub(crate) fn add(&mut self, bound: f64, count: f64) {
        if !bound.is_nan() && count.is_finite() {
            *self.buckets.entry(Bound(bound)).or_default() += count.max(0.0);
        }
    }

    /// Adds all of another one, which has the same bounds.
    pub(crate) fn merge(&mut self, other: &Self) {
        for (bound, count) in &other.buckets {
            self.add(bound.0, *count);
        }
    }

    /// How many there were.
    pub(crate) fn count(&self) -> f64 {
        self.buckets.values().copied().fold(0.0, f64::max)
    }

    /// What came since `before`; all of it when the process has begun anew in between.
    pub(crate) fn since(&self, before: &Self) -> Self {
        let earlier = |bound| before.buckets.get(bound).copied().unwrap_or_default();
        let restarted = self
            .buckets
            .iter()
            .any(|(bound, count)| *count < earlier(bound));
        if restarted {
            return self.clone();
        }
        let newer = self.buckets.iter();
        Self {
            buckets: newer
                .map(|(bound, count)| (*bound, count - earlier(bound)))
                .collect(),
        }
    }

    /// The value that the part `q` (0 to 1) of all do not exceed, by interpolation within its bucket; the
    /// last bound where it lies beyond. Nothing of nothing.
    pub(crate) fn quantile(&self, q: f64) -> Option<f64> {
        let total = self.count();
        if total <= 0.0 {
            return None;
        }
        let rank = q.clamp(0.0, 1.0) * total;
        let (mut lower, mut below) = (0.0_f64, 0.0_f64);
        for (bound, count) in &self.buckets {
            // Buckets of different moments may not grow quite evenly.
            let count = count.max(below);
            if count >= rank && count > below {
                if bound.0.is_infinite() {
                    return Some(lower);
                }
                let part = ((rank - below) / (count - below)).clamp(0.0, 1.0);
                return Some(lower + (bound.0 - lower) * part);
            }
            below = count;
            if bound.0.is_finite() {
                lower = bound.0;
            }
        }
        Some(lower)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use cleave_mesh::metrics::LATENCY_BUCKETS;
    use proptest::prelude::*;

    fn of(values: &[f64]) -> Histogram {
        let mut histogram = Histogram::default();
        for bound in LATENCY_BUCKETS.into_iter().chain([f64::INFINITY]) {
            let count = values.iter().filter(|value| **value <= bound).count();
            histogram.add(bound, f64::from(u32::try_from(count).expect("few")));
        }
        histogram
    }

    proptest! {
        #[test]
        fn a_quantile_lies_in_the_bucket_of_the_true_one(
            mut values in proptest::collection::vec(0.0_f64..90.0, 1..200), q in 0.01_f64..1.0,
        ) {
            let found = of(&values).quantile(q).expect("some");
            values.sort_by(f64::total_cmp);
            let mut rank = 0;
            let total = f64::from(u32::try_from(values.len()).expect("few"));
            while f64::from(u32::try_from(rank + 1).expect("few")) < q * total {
                rank += 1;
            }
            let truth = values[rank];
            let upper = LATENCY_BUCKETS.into_iter().find(|bound| *bound >= truth).expect("in range");
            let lower = LATENCY_BUCKETS.into_iter().rev().find(|bound| *bound < truth).unwrap_or(0.0);
            prop_assert!((lower..=upper).contains(&found), "{found} for {truth}");
        }

        #[test]
        fn quantiles_grow(values in proptest::collection::vec(0.0_f64..200.0, 1..50), a in 0.0_f64..1.0, b in 0.0_f64..1.0) {
            let histogram = of(&values);
            let (a, b) = (a.min(b), a.max(b));
            prop_assert!(histogram.quantile(a) <= histogram.quantile(b));
        }

        #[test]
        fn what_came_since_is_what_was_added(
            before in proptest::collection::vec(0.0_f64..90.0, 0..50), new in proptest::collection::vec(0.0_f64..90.0, 0..50),
        ) {
            let mut all = of(&before);
            all.merge(&of(&new));
            prop_assert_eq!(all.since(&of(&before)), of(&new));
        }
    }

    #[test]
    fn a_process_that_began_anew_counts_from_nothing() {
        let (before, after) = (of(&[0.1; 10]), of(&[0.1; 3]));
        assert!((after.since(&before).count() - 3.0).abs() < f64::EPSILON);
        assert_eq!(Histogram::default().quantile(0.5), None);
    }
}
