//! Whether the tasks of each service run, succeed and keep up.

use std::time::Duration;

use cleave_kernel::Timestamp;

use super::finding::Finding;
use super::subject::Subject;
use crate::admin::{State, Task};
use crate::metrics::Exposition;
use crate::output;

/// A loop is dead when it has not ticked for so many periods, and this much more.
const PERIODS: u32 = 3;
const GRACE: Duration = Duration::from_secs(5);
/// A task that fails so often in a row will not mend itself soon.
const MANY_FAILURES: u32 = 3;
/// What is behind by more than this is worth a word, and by more than that a failure.
const NOTABLE_LAG: f64 = 30.0;
const HARMFUL_LAG: f64 = 300.0;

/// How far a service is behind, by metric.
const LAGS: [(&str, &str, &str); 2] = [
    (
        "billing",
        "billing_rating_lag_seconds",
        "rating is behind delivery",
    ),
    (
        "operations",
        "operations_account_feed_lag_seconds",
        "the view of accounts is behind Billing",
    ),
];
/// Rows that wait for something else.
const PARKED: &str = "billing_parked_rows";

/// The lines on the tasks of a service.
pub(super) fn check(
    subject: &Subject,
    state: &State,
    metrics: Option<&Exposition>,
) -> Vec<Finding> {
    let name = subject.name;
    let mut found = Vec::new();
    let mut well = Vec::new();
    for (task, known) in &state.tasks {
        match trouble(known, state.now) {
            None => well.push(task.as_str()),
            Some(problem) => {
                let text = format!("{name}: task {task} {problem}");
                let hint = "its cause is in the log of the service; it tries again by itself";
                let stuck =
                    known.failures_in_a_row >= MANY_FAILURES || known.failures_in_a_row == 0;
                found.push(if stuck {
                    Finding::failure(text, hint)
                } else {
                    Finding::warning(text, hint)
                });
            }
        }
    }
    if !well.is_empty() {
        found.insert(0, Finding::ok(format!("{name}: {} run", well.join(", "))));
    }
    found.extend(metrics.into_iter().flat_map(|metrics| lag(name, metrics)));
    found
}

/// What is wrong with a task.
fn trouble(task: &Task, now: Option<Timestamp>) -> Option<String> {
    if task.failures_in_a_row > 0 {
        let why = task.last_error.as_deref().unwrap_or("for no known reason");
        return Some(match task.failures_in_a_row {
            1 => format!("failed: {why}"),
            times => format!("has failed {times} times in a row: {why}"),
        });
    }
    // Whatever is under way for too long keeps the service from being ready, which says so itself.
    let period = Duration::from_millis(task.period_ms?);
    if task.running_for_ms.is_some() {
        return None;
    }
    let silent = now?.since(task.last_run?);
    let dead = silent > period * PERIODS + GRACE;
    dead.then(|| {
        let seconds = i64::try_from(silent.as_secs()).unwrap_or(i64::MAX);
        format!("has not run for {}", output::span(seconds))
    })
}

fn lag(name: &str, metrics: &Exposition) -> Vec<Finding> {
    let mut found = Vec::new();
    for (service, metric, what) in LAGS {
        let Some(lag) = metrics.value(metric).filter(|_| service == name) else {
            continue;
        };
        let text = format!("{name}: {what} by {}", output::latency(lag));
        let hint = "look at the tasks above, and at the load with `cleave stat`";
        found.push(if lag <= NOTABLE_LAG {
            Finding::ok(text)
        } else if lag <= HARMFUL_LAG {
            Finding::warning(text, hint)
        } else {
            Finding::failure(text, hint)
        });
    }
    let parked = metrics
        .value(PARKED)
        .filter(|rows| name == "billing" && *rows > 0.0);
    if let Some(rows) = parked {
        found.push(Finding::warning(
            format!("{name}: {rows} delivery rows wait for their terms, revenue share or account"),
            "they are tried again by themselves; `cleave statement` counts them",
        ));
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    fn task(period_ms: Option<u64>, last_run: i64) -> Task {
        Task {
            failures_in_a_row: 0,
            last_run: Some(Timestamp::from_micros(last_run)),
            last_error: None,
            period_ms,
            running_for_ms: None,
        }
    }

    #[test]
    fn a_loop_is_dead_when_it_misses_several_periods() {
        let now = Some(Timestamp::from_micros(100_000_000));
        assert_eq!(trouble(&task(Some(1_000), 99_000_000), now), None);
        assert_eq!(trouble(&task(Some(60_000), 1_000_000), now), None);
        assert!(trouble(&task(Some(1_000), 80_000_000), now).is_some());
        assert_eq!(trouble(&task(None, 1), now), None, "a stream has no period");
        let mut running = task(Some(1_000), 1);
        running.running_for_ms = Some(5);
        assert_eq!(trouble(&running, now), None);
    }
}
