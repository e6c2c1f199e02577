//! The figures of rating and of the ledger.

use billing_domain::rate_delivery::RateReport;
use billing_store::MoneyFigures;
use cleave_kernel::Timestamp;
use metrics::{Unit, counter, describe_counter, describe_gauge, describe_histogram, gauge};
use std::time::Duration;

const ROWS: &str = "billing_delivery_rows_total";
const LAG: &str = "billing_rating_lag_seconds";
const PARKED: &str = "billing_parked_rows";
const UNREADABLE: &str = "billing_unreadable_rows";
const THROUGH: &str = "billing_rated_through_seconds";
const RESERVATIONS: &str = "billing_reservations_live";
const LATE: &str = "billing_reservation_expiry_lag_seconds";
const HELD: &str = "billing_held_micros";
const FREE: &str = "billing_free_micros";
const UNFUNDED: &str = "billing_unfunded_micros";
const IMBALANCE: &str = "billing_ledger_imbalance_micros";

/// Says what the figures mean, to whoever scrapes them.
pub(crate) fn describe() {
    cleave_storage::Figures::describe();
    describe_counter!(
        ROWS,
        "Delivery rows taken in, by outcome: rated, stale, parked, unreadable."
    );
    describe_counter!(
        "billing_ledger_commands_total",
        "Commands that the ledger writer decided, by outcome."
    );
    describe_histogram!(
        "billing_ledger_batch_commands",
        "Commands that one transaction of the ledger writer held."
    );
    for (name, meaning) in [
        (
            LAG,
            "How long ago Operations read what was heard of it last; heartbeats count.",
        ),
        (
            THROUGH,
            "Delivery before this instant, in seconds since the epoch, is rated in full.",
        ),
        (
            LATE,
            "How long ago the longest due reservation should have settled or closed.",
        ),
    ] {
        describe_gauge!(name, Unit::Seconds, meaning);
    }
    for (name, meaning) in [
        (
            PARKED,
            "Delivery rows that cannot be rated yet and hold the watermark back.",
        ),
        (
            UNREADABLE,
            "Delivery rows put aside because they cannot be read; they hold the watermark back.",
        ),
        (RESERVATIONS, "Reservations that hold money."),
        (
            HELD,
            "What reservations hold of advertisers' money, in millionths of the currency.",
        ),
        (
            FREE,
            "What advertisers may still spend, credit included, in millionths of the currency.",
        ),
        (
            UNFUNDED,
            "Delivery that nothing covers yet, in millionths of the currency.",
        ),
        (
            IMBALANCE,
            "Debits less credits over all ledger accounts, in millionths of the currency. Must be 0.",
        ),
    ] {
        describe_gauge!(name, meaning);
    }
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
    gauge!(PARKED).set(rounded(rows.into()));
}

pub(super) fn unreadable(rows: i64) {
    gauge!(UNREADABLE).set(rounded(rows.into()));
}

pub(super) fn rated_through(instant: Timestamp) {
    gauge!(THROUGH).set(rounded((instant.micros() / 1_000_000).into()));
}

pub(super) fn reservations(live: i64, late: Duration) {
    gauge!(RESERVATIONS).set(rounded(live.into()));
    gauge!(LATE).set(late.as_secs_f64());
}

pub(super) fn money(currency: &'static str, money: &MoneyFigures) {
    for (name, amount) in [
        (HELD, money.held),
        (FREE, money.free),
        (UNFUNDED, money.unfunded),
    ] {
        gauge!(name, "currency" => currency).set(rounded(amount));
    }
    for (kind, amount) in [
        ("posted", money.posted_imbalance),
        ("pending", money.pending_imbalance),
    ] {
        gauge!(IMBALANCE, "currency" => currency, "kind" => kind).set(rounded(amount));
    }
}

/// Gauges are floating-point numbers; what they show needs no exactness beyond 2^53.
#[expect(
    clippy::as_conversions,
    reason = "the standard library has no conversion that rounds"
)]
const fn rounded(number: i128) -> f64 {
    number as f64
}
