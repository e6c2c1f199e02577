//! Billing's clock, which a test may move on.

use std::time::{Duration, SystemTime};

use prost_types::Timestamp;

/// The machine's clock, and how far a test has moved it on.
#[derive(Debug, Default)]
pub(super) struct Clock {
    ahead: Duration,
}

impl Clock {
    #[expect(
        clippy::disallowed_methods,
        reason = "a client crate may not see the kernel's clock, and leases must look real"
    )]
    pub(super) fn now(&self) -> SystemTime {
        SystemTime::now() + self.ahead
    }

    pub(super) fn timestamp(&self) -> Timestamp {
        Timestamp::from(self.now())
    }

    pub(super) fn advance(&mut self, span: Duration) {
        self.ahead = self.ahead.saturating_add(span);
    }
}

/// Whether the instant has come.
pub(super) fn has_come(instant: Option<&Timestamp>, now: SystemTime) -> bool {
    instant
        .and_then(|instant| SystemTime::try_from(*instant).ok())
        .is_some_and(|instant| instant <= now)
}
