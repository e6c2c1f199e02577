//! The figures of leases, of the outbox and of what is known of Billing.

use std::collections::{HashMap, HashSet};
use std::time::Duration;

use metrics::{Unit, counter, describe_counter, describe_gauge, gauge};
use operations_domain::line_item_status::LineItemStatus;
use operations_domain::named::Named;

const EXPOSURE: &str = "operations_lease_exposure";
const RUNNING_OUT: &str = "operations_line_items_running_out";
const LINE_ITEMS: &str = "operations_line_items";
const LEASE_CALLS: &str = "operations_lease_calls_total";
const FEED_LAG: &str = "operations_account_feed_lag_seconds";
const FEED_AGE: &str = "operations_account_feed_age_seconds";
const OUTBOX: &str = "operations_outbox_messages";
const OUTBOX_AGE: &str = "operations_outbox_oldest_age_seconds";

/// Says what the figures mean, to whoever scrapes them.
pub(crate) fn describe() {
    cleave_storage::Figures::describe();
    for (name, meaning) in [
        (LEASE_CALLS, "Calls to Billing about leases, by outcome."),
        (
            "operations_delivery_rows_total",
            "Delivery rows reported, by outcome.",
        ),
    ] {
        describe_counter!(name, meaning);
    }
    for (name, meaning) in [
        (
            EXPOSURE,
            "What may be served on the leases in force, in units of the currency.",
        ),
        (
            RUNNING_OUT,
            "Line items that ask for a lease in vain while the one they have is at its end.",
        ),
        (
            LINE_ITEMS,
            "Line items that people want to run, by what they do.",
        ),
        (OUTBOX, "Messages that Billing has not taken yet."),
    ] {
        describe_gauge!(name, meaning);
    }
    for (name, meaning) in [
        (
            FEED_LAG,
            "How old Billing's accounts were when they were last heard of.",
        ),
        (
            FEED_AGE,
            "How long ago Billing's accounts were last heard of.",
        ),
        (OUTBOX_AGE, "How long the oldest message has waited."),
    ] {
        describe_gauge!(name, Unit::Seconds, meaning);
    }
}

/// What may be served, by currency. A currency that was shown once goes to zero when nothing is left of it.
pub(super) fn exposure(now: &HashMap<&'static str, i128>, shown: &mut HashSet<&'static str>) {
    shown.extend(now.keys());
    for currency in &*shown {
        let micros = now.get(currency).copied().unwrap_or(0);
        let units = i64::try_from(micros).map_or(f64::MAX, units);
        gauge!(EXPOSURE, "currency" => *currency).set(units);
    }
}

pub(super) fn running_out(line_items: usize) {
    gauge!(RUNNING_OUT).set(u32::try_from(line_items).unwrap_or(u32::MAX));
}

pub(super) fn line_items(counts: &HashMap<LineItemStatus, u32>) {
    for status in LineItemStatus::ALL {
        let count = counts.get(status).copied().unwrap_or(0);
        gauge!(LINE_ITEMS, "status" => status.name()).set(count);
    }
}

pub(super) fn lease_call(call: &'static str, outcome: &'static str) {
    counter!(LEASE_CALLS, "call" => call, "outcome" => outcome).increment(1);
}

pub(super) fn feed_lag(lag: Duration) {
    gauge!(FEED_LAG).set(lag.as_secs_f64());
}

pub(super) fn feed_age(age: Duration) {
    gauge!(FEED_AGE).set(age.as_secs_f64());
}

pub(super) fn outbox(messages: i64, oldest: Duration) {
    gauge!(OUTBOX).set(u32::try_from(messages).unwrap_or(u32::MAX));
    gauge!(OUTBOX_AGE).set(oldest.as_secs_f64());
}

/// Units of currency, for a gauge: a picture, not an account.
fn units(micros: i64) -> f64 {
    let whole = i32::try_from(micros / 1_000_000).unwrap_or(i32::MAX);
    let rest = i32::try_from(micros % 1_000_000).unwrap_or(0);
    f64::from(whole) + f64::from(rest) / 1e6
}
