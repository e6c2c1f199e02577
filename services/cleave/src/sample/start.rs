//! When the sample is set, so that a load which is cut short goes on as it began.

use std::fmt;
use std::num::ParseIntError;
use std::str::FromStr;
use std::time::Duration;

use cleave_kernel::{Clock, SystemClock, Timestamp};

/// How long before the load the network began to exist.
const AGE: Duration = Duration::from_secs(7 * 24 * 3600);
const HOUR: Duration = Duration::from_secs(3600);

/// The hour in which the load began.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Start(Timestamp);

impl Start {
    /// The present hour.
    pub(super) fn now() -> Self {
        let now = SystemClock.now().micros();
        Self(Timestamp::from_micros(now - now.rem_euclid(3_600_000_000)))
    }

    /// When campaigns, terms and shares of the sample take effect.
    pub(super) fn began(self) -> Timestamp {
        self.0.minus(AGE)
    }

    /// The hour that is served: the last full one.
    pub(super) fn hour(self) -> Timestamp {
        self.0.minus(HOUR)
    }
}

impl fmt::Display for Start {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.micros().fmt(f)
    }
}

impl FromStr for Start {
    type Err = ParseIntError;

    fn from_str(text: &str) -> Result<Self, ParseIntError> {
        text.trim().parse().map(Timestamp::from_micros).map(Self)
    }
}
