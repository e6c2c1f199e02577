//! Up to where the past is settled: what a source calls complete, and what is frozen. Both are instants before
//! which every hour is settled, and only ever move on.

use crate::delivery::{EARLIEST_HOUR, SourceName};
use cleave_kernel::{Timestamp, Violation};
use serde::{Deserialize, Serialize};
use std::time::Duration;

/// How far the clock of a caller may run ahead of ours.
const CLOCK_SKEW: Duration = Duration::from_secs(300);

/// How far a source has reported.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Watermark {
    /// Who reports.
    pub source: SourceName,
    /// Every hour before this instant was reported in full.
    pub complete_through: Timestamp,
    /// The place in the delivery feed where that became so.
    pub seq: i64,
    /// When that became so.
    pub updated_at: Timestamp,
}

/// An instant before which hours may be called settled: it lies on the hour, and not ahead of us.
///
/// # Errors
/// When it does not; the field of the violation is empty, for the caller to root.
pub fn settled_through(instant: Timestamp, now: Timestamp) -> Result<Timestamp, Violation> {
    if !instant.starts_hour() || instant < EARLIEST_HOUR {
        let description = format!("{instant} is not the start of a UTC hour after 1999");
        return Err(Violation::new("", "OUT_OF_RANGE", description));
    }
    if instant > now.plus(CLOCK_SKEW) {
        let description = format!("{instant} lies ahead: the hours before it are not over yet");
        return Err(Violation::new("", "IN_FUTURE", description));
    }
    Ok(instant)
}

/// Where a frontier stands after `reported`: the later of the two, and whether that is news.
pub fn advance(stored: Option<Timestamp>, reported: Timestamp) -> (Timestamp, bool) {
    match stored {
        Some(stored) if stored >= reported => (stored, false),
        _ => (reported, true),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const HOURS: i64 = 3_600_000_000;

    fn hour(number: i64) -> Timestamp {
        Timestamp::from_micros(number * HOURS)
    }

    #[test]
    fn only_hours_that_are_over_settle() {
        let now = hour(400_001);
        assert!(settled_through(hour(400_001), now).is_ok());
        let refused = |at: Timestamp| settled_through(at, now).unwrap_err().reason;
        assert_eq!(refused(hour(400_002)), "IN_FUTURE");
        assert_eq!(refused(Timestamp::from_micros(1)), "OUT_OF_RANGE");
        assert_eq!(refused(hour(0)), "OUT_OF_RANGE");
    }

    proptest! {
        #[test]
        fn a_frontier_never_goes_back(reports in prop::collection::vec(0_i64..1000, 1..50)) {
            let mut stored = None;
            for report in &reports {
                let (next, news) = advance(stored, hour(*report));
                prop_assert!(stored.is_none_or(|stored| stored <= next));
                prop_assert_eq!(news, stored != Some(next));
                stored = Some(next);
            }
            prop_assert_eq!(stored, reports.iter().max().map(|&report| hour(report)));
        }
    }
}
