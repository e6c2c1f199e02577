//! Tries parked rows again, and says how many wait and how far delivery is rated.

use super::delivery::count;
use super::rater::Rater;
use cleave_host::{Report, Task};
use metrics::gauge;
use std::time::Duration;

/// Rows tried in one go.
const ROWS: u64 = 1000;

/// The task; `period` is also how long a row waits for its next try.
pub(crate) fn task(rater: Rater, period: Duration) -> Task {
    Task::new("parked-rows", period, move || {
        let rater = rater.clone();
        async move { tick(&rater, period).await }
    })
}

async fn tick(rater: &Rater, period: Duration) -> anyhow::Result<Report> {
    let store = rater.app().store();
    let tried_before = rater.app().clock().now().minus(period);
    let rows = store.parked_to_retry(tried_before, ROWS).await?;
    let tried = u64::try_from(rows.len())?;
    let mut rated = 0;
    if tried > 0 {
        let report = rater.rate(rows, None).await?;
        count(report);
        rated = report.rated;
    }
    gauge!("billing_parked_rows").set(as_gauge(store.parked_count().await?));
    if let Some(through) = store.rated_through().await? {
        gauge!("billing_rated_through_seconds").set(as_gauge(through.micros() / 1_000_000));
    }
    Ok(match (tried, rated) {
        (ROWS, _) => Report::more(rated),
        (_, 0) => Report::idle(),
        (_, rated) => Report::did(rated),
    })
}

/// Gauges are floating-point numbers; what they show needs no exactness beyond 2^53.
#[expect(
    clippy::as_conversions,
    reason = "the standard library has no conversion that rounds"
)]
fn as_gauge(number: i64) -> f64 {
    number as f64
}
