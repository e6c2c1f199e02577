//! Leaves a replica alone whose failures add up, and gives it another chance with one real call.
//!
//! Small fleets need this: with two or three replicas there is no crowd to compare one with.

use super::record::Record;
use crate::metrics::Ejection;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tokio::time::Instant;
use tonic::Code;

/// An ejection is longer by up to this part of itself, so that callers do not come back together.
const JITTER: f64 = 0.5;

/// What a finished call says about the replica.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Outcome {
    /// It did its work, whatever the answer was.
    Good,
    /// It is too busy: counts for the rate, not for the streak.
    Busy,
    /// It failed.
    Bad,
    /// The caller gave up of its own accord: nothing is known.
    Unknown,
}

impl Outcome {
    /// What a status says about the replica that gave it, or that failed to.
    pub(super) const fn of(code: Code) -> Self {
        match code {
            Code::Unavailable
            | Code::DeadlineExceeded
            | Code::Internal
            | Code::DataLoss
            | Code::Unknown => Self::Bad,
            Code::ResourceExhausted => Self::Busy,
            Code::Cancelled => Self::Unknown,
            Code::Ok
            | Code::InvalidArgument
            | Code::NotFound
            | Code::AlreadyExists
            | Code::PermissionDenied
            | Code::FailedPrecondition
            | Code::Aborted
            | Code::OutOfRange
            | Code::Unimplemented
            | Code::Unauthenticated => Self::Good,
        }
    }
}

/// What changed with a call's outcome.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Change {
    /// The replica is left alone from now on.
    Ejected(Ejection),
    /// It is trusted again.
    Readmitted,
}

#[derive(Debug)]
struct State {
    record: Record,
    /// Ejections in a row.
    ejections: u32,
    /// Until when it is left alone, and for how long that was.
    until: Option<(Instant, Duration)>,
    /// The one call of the probation is out.
    probing: bool,
}

/// The breaker of one replica.
#[derive(Debug)]
pub(super) struct Breaker {
    first: Duration,
    longest: Duration,
    ejected: AtomicBool,
    state: Mutex<State>,
}

impl Breaker {
    /// Closed, with the lengths of the first and the longest ejection.
    pub(super) fn new(first: Duration, longest: Duration) -> Self {
        Self {
            first,
            longest,
            ejected: AtomicBool::new(false),
            state: Mutex::new(State {
                record: Record::new(Instant::now()),
                ejections: 0,
                until: None,
                probing: false,
            }),
        }
    }

    /// Whether the replica is left alone.
    pub(super) fn is_ejected(&self) -> bool {
        self.ejected.load(Ordering::Relaxed)
    }

    /// Claims the one call of the probation, when it is due. A call that cannot be repeated does not take
    /// the risk until nobody else has for as long again.
    pub(super) fn claim_probe(&self, repeatable: bool, now: Instant) -> bool {
        if !self.is_ejected() {
            return false;
        }
        let mut state = self.state();
        let Some((until, length)) = state.until else {
            return false;
        };
        let due = if repeatable { until } else { until + length };
        let claimed = !state.probing && now >= due;
        state.probing |= claimed;
        claimed
    }

    /// A call ended so; `probe` when it was that of the probation.
    pub(super) fn record(&self, outcome: Outcome, probe: bool, now: Instant) -> Option<Change> {
        let mut state = self.state();
        if probe {
            state.probing = false;
        }
        if outcome == Outcome::Unknown {
            return None;
        }
        if state.until.is_some() {
            if !probe {
                return None;
            }
            return match outcome {
                Outcome::Good => {
                    state.readmit(now);
                    self.ejected.store(false, Ordering::Relaxed);
                    Some(Change::Readmitted)
                }
                _ => {
                    self.eject(&mut state, now);
                    None
                }
            };
        }
        let why = state.record.count(outcome, now)?;
        self.eject(&mut state, now);
        Some(Change::Ejected(why))
    }

    fn eject(&self, state: &mut State, now: Instant) {
        let doubled = self.first.saturating_mul(1 << state.ejections.min(16));
        let length = doubled
            .min(self.longest)
            .mul_f64(1.0 + JITTER * fastrand::f64());
        state.ejections += 1;
        state.until = Some((now + length, length));
        self.ejected.store(true, Ordering::Relaxed);
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn readmit(&mut self, now: Instant) {
        self.until = None;
        self.ejections = 0;
        self.record = Record::new(now);
    }
}

#[cfg(test)]
mod tests {
    use super::super::record::STREAK;
    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    fn breaker() -> Breaker {
        Breaker::new(SECOND, 4 * SECOND)
    }

    /// Successes that make the rate irrelevant, then failures until it trips.
    fn trip(breaker: &Breaker, now: Instant) -> u32 {
        for _ in 0..100 {
            breaker.record(Outcome::Good, false, now);
        }
        let mut failures = 0;
        while !breaker.is_ejected() {
            breaker.record(Outcome::Bad, false, now);
            failures += 1;
        }
        failures
    }

    #[test]
    fn seven_failures_in_a_row_trip_it() {
        assert_eq!(trip(&breaker(), Instant::now()), STREAK);
    }

    #[test]
    fn a_poor_rate_trips_it_and_an_old_one_does_not() {
        let (breaker, start) = (breaker(), Instant::now());
        let record = |outcome, now| breaker.record(outcome, false, now);
        for _ in 0..3 {
            record(Outcome::Good, start);
        }
        record(Outcome::Busy, start);
        let later = start + 11 * SECOND;
        for _ in 0..4 {
            assert_eq!(record(Outcome::Good, later), None);
        }
        assert_eq!(
            record(Outcome::Busy, later),
            None,
            "four of five are enough"
        );
        let tripped = Some(Change::Ejected(Ejection::Rate));
        assert_eq!(record(Outcome::Busy, later), tripped);
    }

    #[test]
    fn one_call_decides_the_probation() {
        let (breaker, start) = (breaker(), Instant::now());
        trip(&breaker, start);
        assert!(!breaker.claim_probe(true, start), "too early");
        let due = start + 2 * SECOND;
        assert!(breaker.claim_probe(true, due));
        assert!(!breaker.claim_probe(true, due), "only one");

        breaker.record(Outcome::Bad, true, due);
        assert!(breaker.is_ejected());
        let early = due + Duration::from_millis(1_900);
        assert!(!breaker.claim_probe(true, early), "longer this time");
        let again = due + 4 * SECOND;
        assert!(breaker.claim_probe(true, again));
        let change = breaker.record(Outcome::Good, true, again);
        assert_eq!(change, Some(Change::Readmitted));
        assert!(!breaker.is_ejected());
    }

    #[test]
    fn a_call_that_cannot_be_repeated_waits_for_others_to_probe() {
        let (breaker, start) = (breaker(), Instant::now());
        trip(&breaker, start);
        assert!(!breaker.claim_probe(false, start + Duration::from_millis(1_600)));
        assert!(breaker.claim_probe(false, start + Duration::from_millis(3_600)));
    }
}
