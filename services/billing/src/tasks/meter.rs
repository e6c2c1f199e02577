//! The figures of rating.

use billing_domain::rate_delivery::RateReport;
use cleave_kernel::Timestamp;
use metrics::{Unit, counter, describe_counter, describe_gauge, gauge};
use std::time::Duration;

const ROWS: &str = "billing_delivery_rows_total";
const LAG: &str = "billing_rating_lag_seconds";
const PARKED: &str = "billing_parked_rows";
const UNREADABLE: &str = "billing_unreadable_rows";
const THROUGH: &str = "billing_rated_through_seconds";

/// Says what the figures mean, to whoever scrapes them.
pub(crate) fn describe() {
    describe_counter!(
        ROWS,
        "Delivery rows taken in, by outcome: rated, stale, parked, unreadable."
    );
    let lag = "How long ago Operations read what was rated last; heartbeats count.";
    describe_gauge!(LAG, Unit::Seconds, lag);
    let parked = "Delivery rows that cannot be rated yet and hold the watermark back.";
    describe_gauge!(PARKED, parked);
    let unreadable =
        "Delivery rows put aside because they cannot be read; they hold the watermark back.";
    describe_gauge!(UNREADABLE, unreadable);
    let through = "Delivery before this instant, in seconds since the epoch, is rated in full.";
    describe_gauge!(THROUGH, Unit::Seconds, through);
}

/// Counts what became of rows.
pub(super) fn count(report: RateReport) {
    for (outcome, rows) in [
        ("rated", report.rated),
        ("stale", report.stale),
        ("parked", report.parked),
        ("unreadable", report.unreadable),
    ] {
        counter!(ROWS, "outcome" => outcome).increment(rows);
    }
}

pub(super) fn lag(lag: Duration) {
    gauge!(LAG).set(lag.as_secs_f64());
}

pub(super) fn parked(rows: i64) {
    gauge!(PARKED).set(rounded(rows));
}

pub(super) fn unreadable(rows: i64) {
    gauge!(UNREADABLE).set(rounded(rows));
}

pub(super) fn rated_through(instant: Timestamp) {
    gauge!(THROUGH).set(rounded(instant.micros() / 1_000_000));
}

/// Gauges are floating-point numbers; what they show needs no exactness beyond 2^53.
#[expect(
    clippy::as_conversions,
    reason = "the standard library has no conversion that rounds"
)]
fn rounded(number: i64) -> f64 {
    number as f64
}
