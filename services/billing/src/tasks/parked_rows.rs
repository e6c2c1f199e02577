//! Tries parked rows again, and says how many wait and how far delivery is rated.

use super::meter;
use super::rater::Rater;
use cleave_host::{Report, Task};
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
        let report = rater.rate(rows, Vec::new(), None).await?;
        meter::count(report);
        rated = report.rated;
    }
    meter::parked(store.parked_count().await?);
    meter::unreadable(store.unreadable_count().await?);
    if let Some(through) = store.rated_through().await? {
        meter::rated_through(through);
    }
    Ok(match (tried, rated) {
        (ROWS, _) => Report::more(rated),
        (_, 0) => Report::idle(),
        (_, rated) => Report::did(rated),
    })
}
