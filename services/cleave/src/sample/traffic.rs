//! What players do: the counts of one ad unit over some minutes, drawn from a seeded generator.

use fastrand::Rng;
use operations_client::pb::DeliveryCounts;

/// What one thousand impressions cost where they are bought, in micros.
const MEDIA_COST_PER_MILLE: u64 = 41_237_500;

/// Adds `minutes` of traffic at `pace` impressions a minute, give or take a fifth.
pub(super) fn add(counts: &mut DeliveryCounts, rng: &mut Rng, pace: u32, minutes: u32) {
    let expected = pace * minutes;
    let shown = rng.u32(expected - expected / 5..=expected + expected / 5);
    let asked = shown + rng.u32(0..=shown / 3);
    let seen = shown - rng.u32(0..=shown / 4);
    let clicks = rng.u32(0..=shown / 60);
    let installs = rng.u32(0..=clicks / 12 + 1).min(clicks);
    let cost = u64::from(shown) * MEDIA_COST_PER_MILLE / 1000;
    counts.requests += i64::from(asked);
    counts.impressions += i64::from(shown);
    counts.viewable_impressions += i64::from(seen);
    counts.clicks += i64::from(clicks);
    counts.installs += i64::from(installs);
    counts.actions += i64::from(rng.u32(0..=installs));
    counts.invalid_impressions += i64::from(rng.u32(0..=shown / 100));
    counts.media_cost_micros += i64::try_from(cost).unwrap_or(i64::MAX);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn traffic_is_the_same_every_time_and_makes_sense() {
        let run = || {
            let (mut counts, mut rng) = (DeliveryCounts::default(), Rng::with_seed(3));
            for _ in 0..12 {
                add(&mut counts, &mut rng, 500, 5);
            }
            counts
        };
        let counts = run();
        assert_eq!(counts, run());
        assert!(counts.impressions <= counts.requests);
        assert!(counts.viewable_impressions <= counts.impressions);
        assert!(counts.invalid_impressions <= counts.impressions);
        assert!(counts.installs <= counts.clicks && counts.actions <= counts.installs);
    }
}
