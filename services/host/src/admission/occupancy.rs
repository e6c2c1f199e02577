//! How many calls of each criticality are being handled: three counts in one word, so that a call is let in or not
//! by one atomic step.

use cleave_mesh::policy::Criticality;
use std::sync::atomic::{AtomicU64, Ordering};

/// The bits of one count.
const BITS: u32 = 21;
/// The most that a count holds.
pub(crate) const MOST: u32 = (1 << BITS) - 1;

/// The calls that are being handled.
#[derive(Debug, Default)]
pub(super) struct Occupancy(AtomicU64);

/// Up to which numbers a call is let in.
#[derive(Debug, Clone, Copy)]
pub(super) struct Bounds {
    /// Of the calls of its criticality or above.
    pub(super) peers: u32,
    /// Of all calls.
    pub(super) all: u32,
}

/// The counts at one moment.
#[derive(Debug, Clone, Copy)]
struct Counts(u64);

impl Occupancy {
    /// How many there are.
    pub(super) fn total(&self) -> u32 {
        Counts(self.0.load(Ordering::Relaxed)).from(Criticality::Sheddable)
    }

    /// Counts one more, unless that would be past a bound.
    ///
    /// Those who matter less do not stand in the way of those who matter more: they keep to `all` only.
    pub(super) fn enter(&self, criticality: Criticality, bounds: Bounds) -> bool {
        let next = |now: u64| {
            let counts = Counts(now);
            let room = counts.from(criticality) < bounds.peers
                && counts.from(Criticality::Sheddable) < bounds.all.min(MOST);
            room.then_some(now + one(criticality))
        };
        self.0
            .fetch_update(Ordering::Relaxed, Ordering::Relaxed, next)
            .is_ok()
    }

    /// Counts one less, which [`Self::enter`] had counted.
    pub(super) fn leave(&self, criticality: Criticality) {
        self.0.fetch_sub(one(criticality), Ordering::Relaxed);
    }
}

impl Counts {
    /// The calls of this criticality and of those above.
    fn from(self, least: Criticality) -> u32 {
        let counts = [
            Criticality::Sheddable,
            Criticality::Default,
            Criticality::Critical,
        ];
        let above = counts.into_iter().filter(|of| place(*of) >= place(least));
        above.map(|of| self.of(of)).sum()
    }

    /// The calls of this criticality.
    fn of(self, criticality: Criticality) -> u32 {
        let count = (self.0 >> (place(criticality) * BITS)) & u64::from(MOST);
        u32::try_from(count).unwrap_or(MOST)
    }
}

/// Where the count of a criticality stands in the word; the higher, the more it matters.
const fn place(criticality: Criticality) -> u32 {
    match criticality {
        Criticality::Sheddable => 0,
        Criticality::Default => 1,
        Criticality::Critical => 2,
    }
}

const fn one(criticality: Criticality) -> u64 {
    1 << (place(criticality) * BITS)
}

#[cfg(test)]
mod tests {
    use super::*;
    use Criticality::{Critical, Default as Usual, Sheddable};

    const fn bounds(peers: u32, all: u32) -> Bounds {
        Bounds { peers, all }
    }

    #[test]
    fn calls_that_matter_less_do_not_stand_in_the_way() {
        let calls = Occupancy::default();
        for _ in 0..5 {
            assert!(calls.enter(Sheddable, bounds(5, 100)));
        }
        assert!(!calls.enter(Sheddable, bounds(5, 100)));

        assert!(calls.enter(Usual, bounds(1, 100)));
        assert!(!calls.enter(Usual, bounds(1, 100)));
        assert!(calls.enter(Critical, bounds(1, 100)));

        // But those that matter more do.
        assert!(!calls.enter(Usual, bounds(2, 100)));
        assert_eq!(calls.total(), 7);
    }

    #[test]
    fn no_criticality_goes_past_the_bound_for_all() {
        let calls = Occupancy::default();
        assert!(calls.enter(Sheddable, bounds(10, 2)));
        assert!(calls.enter(Critical, bounds(10, 2)));
        assert!(!calls.enter(Critical, bounds(10, 2)));

        calls.leave(Sheddable);

        assert!(calls.enter(Critical, bounds(10, 2)));
    }

    #[test]
    fn every_call_that_leaves_makes_room_for_one() {
        let calls = Occupancy::default();
        for criticality in [Sheddable, Usual, Critical] {
            for _ in 0..1_000 {
                assert!(calls.enter(criticality, bounds(MOST, MOST)));
            }
        }
        assert_eq!(calls.total(), 3_000);
        for criticality in [Critical, Sheddable, Usual] {
            for _ in 0..1_000 {
                calls.leave(criticality);
            }
        }
        assert_eq!(calls.total(), 0);
    }
}
