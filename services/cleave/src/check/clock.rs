//! Whether the clocks agree: each service's with the one here, and with its database's.
//!
//! A clock is read over the network, so what is known of it is a range: half a round trip to either side.
//! Only what lies outside the range counts against it. Deadlines travel as spans and need no common clock;
//! leases and certificates end at instants.

use anyhow::Result;
use billing::Inspection;
use cleave_kernel::ClockReading;

use super::finding::Finding;
use super::subject::Subject;
use crate::admin::AdminPort;
use crate::output::latency;

/// Readings that are taken; the sharpest counts.
const READINGS: usize = 4;
/// More than this is worth a word.
const NOTABLE_MICROS: i64 = 500_000;
/// With more than this, leases end too early or too late by something that matters.
const HARMFUL_MICROS: i64 = 5_000_000;

/// The clock of a service, if it answers.
pub(super) async fn read(admin: &AdminPort) -> Option<ClockReading> {
    let mut best: Option<ClockReading> = None;
    for _ in 0..READINGS {
        let reading = admin.clock().await.ok().flatten()?;
        best = Some(best.map_or(reading, |best| best.sharper(reading)));
    }
    best
}

/// The lines on a service's clock.
pub(super) fn judge(
    subject: &Subject,
    service: Option<ClockReading>,
    database: &Result<Inspection>,
) -> Vec<Finding> {
    let name = subject.name;
    let Some(service) = service else {
        return Vec::new();
    };
    let mut found = vec![line(
        &format!("{name}: its clock"),
        "the one here",
        offset(service),
    )];
    let database = database.as_ref().ok().and_then(|seen| seen.clock);
    if let Some(database) = database {
        let (own, other) = (offset(service), offset(database));
        // Both were read from here: their ranges add up.
        let apart = (own.0 - other.0, own.1 + other.1);
        found.push(line(&format!("{name}: its clock"), "its database's", apart));
    }
    found
}

/// Microseconds ahead, and how far the truth may be from that.
fn offset(reading: ClockReading) -> (i64, i64) {
    let bound = i64::try_from(reading.bound().as_micros()).unwrap_or(i64::MAX);
    (reading.ahead_micros(), bound)
}

fn line(what: &str, against: &str, (ahead, bound): (i64, i64)) -> Finding {
    let least = ahead.saturating_abs().saturating_sub(bound);
    let shown = |micros: i64| {
        latency(std::time::Duration::from_micros(micros.unsigned_abs()).as_secs_f64())
    };
    if least <= 0 {
        return Finding::ok(format!(
            "{what} agrees with {against} (within {})",
            shown(bound)
        ));
    }
    let side = if ahead > 0 { "ahead of" } else { "behind" };
    let text = format!(
        "{what} is {} {side} {against}, give or take {}",
        shown(ahead),
        shown(bound)
    );
    let hint = "let a time service such as chrony keep the clocks of all machines";
    if least <= NOTABLE_MICROS {
        Finding::ok(text)
    } else if least <= HARMFUL_MICROS {
        Finding::warning(text, hint)
    } else {
        Finding::failure(text, hint)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::check::finding::Level;

    #[test]
    fn only_what_lies_outside_the_range_counts() {
        for (ahead, bound, level) in [
            (0, 0, Level::Ok),
            (400_000, 0, Level::Ok),
            (-2_000_000, 3_000_000, Level::Ok),
            (2_000_000, 1_000, Level::Warning),
            (-9_000_000, 1_000, Level::Failure),
            (i64::MIN, 0, Level::Failure),
        ] {
            let found = line("a", "b", (ahead, bound));
            assert_eq!(found.level, level, "{}", found.text);
        }
    }
}
