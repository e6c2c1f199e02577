//! The instant at which a caller stops waiting.

use crate::context;
use std::time::Duration;
use tokio::time::Instant;

/// What a handler keeps for itself: the time to turn a peer's answer into its own.
const MARGIN: Duration = Duration::from_millis(10);
/// The margin is never more than this part of what remains.
const MARGIN_PART: u32 = 4;

/// The instant at which a caller stops waiting.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Deadline(Instant);

impl Deadline {
    /// `timeout` from now.
    #[must_use]
    pub fn after(timeout: Duration) -> Self {
        Self::from(Instant::now(), timeout)
    }

    /// `timeout` from `now`.
    pub(crate) fn from(now: Instant, timeout: Duration) -> Self {
        // A timeout beyond the clock's reach is as good as a year.
        let year = Duration::from_secs(365 * 24 * 3_600);
        Self(now.checked_add(timeout.min(year)).unwrap_or(now))
    }

    /// The deadline of the call that the current task handles.
    #[must_use]
    pub fn current() -> Option<Self> {
        context::current().and_then(|call| call.deadline)
    }

    /// The instant itself.
    #[must_use]
    pub const fn at(self) -> Instant {
        self.0
    }

    /// The time left, zero once it has passed.
    #[must_use]
    pub fn remaining(self) -> Duration {
        self.0.saturating_duration_since(Instant::now())
    }

    /// Whether the caller has stopped waiting.
    #[must_use]
    pub fn has_passed(self) -> bool {
        self.0 <= Instant::now()
    }

    /// The deadline for a call made on behalf of this one: earlier by a margin.
    #[must_use]
    pub fn for_peers(self) -> Self {
        Self(
            self.0
                .checked_sub(margin(self.remaining()))
                .unwrap_or(self.0),
        )
    }
}

/// What a handler keeps of the time that remains.
fn margin(remaining: Duration) -> Duration {
    MARGIN.min(remaining / MARGIN_PART)
}

/// The earliest of those that are set.
pub(crate) fn earliest(deadlines: [Option<Deadline>; 2]) -> Option<Deadline> {
    deadlines.into_iter().flatten().min()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_handler_keeps_a_margin_and_never_most_of_a_short_time() {
        assert_eq!(margin(Duration::from_secs(1)), Duration::from_millis(10));
        assert_eq!(margin(Duration::from_millis(8)), Duration::from_millis(2));
        assert_eq!(margin(Duration::ZERO), Duration::ZERO);
    }

    #[tokio::test]
    async fn a_deadline_passes() {
        assert!(!Deadline::after(Duration::from_secs(5)).has_passed());
        let passed = Deadline::after(Duration::ZERO);
        assert!(passed.has_passed());
        assert_eq!(passed.remaining(), Duration::ZERO);
    }

    #[tokio::test]
    async fn the_longest_timeout_does_not_overflow() {
        assert!(!Deadline::after(Duration::MAX).has_passed());
    }
}
