//! What another clock says, and how far to believe it.

use crate::clock::Timestamp;
use std::time::Duration;

/// What another clock said between two looks at one's own.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ClockReading {
    /// By the own clock, before the other one was asked.
    pub sent: Timestamp,
    /// By the other clock.
    pub told: Timestamp,
    /// By the own clock, after the answer.
    pub received: Timestamp,
}

impl ClockReading {
    /// How far the other clock is ahead, in microseconds; the truth lies within [`ClockReading::bound`] of it.
    #[must_use]
    pub fn ahead_micros(&self) -> i64 {
        let middle = self.sent.micros().midpoint(self.received.micros());
        self.told.micros().saturating_sub(middle)
    }

    /// The other clock was read somewhere between the two looks: it may be off by half of the time between.
    #[must_use]
    pub fn bound(&self) -> Duration {
        self.received.since(self.sent) / 2
    }

    /// The reading with the tighter bound.
    #[must_use]
    pub fn sharper(self, other: Self) -> Self {
        if other.bound() < self.bound() {
            other
        } else {
            self
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn the_truth_lies_within_the_bound(
            sent in 0_i64..1 << 50, there in 0_i64..1 << 30, back in 0_i64..1 << 30,
            ahead in -(1_i64 << 40)..1 << 40,
        ) {
            let at = Timestamp::from_micros;
            let reading = ClockReading {
                sent: at(sent),
                told: at(sent + there + ahead),
                received: at(sent + there + back),
            };
            let off = (reading.ahead_micros() - ahead).unsigned_abs();
            prop_assert!(u128::from(off) <= reading.bound().as_micros() + 1);
        }
    }
}
