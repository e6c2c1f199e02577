//! Decides on delivery that nothing covered, once nothing is held for it any more and it has waited long enough.

use crate::app::App;
use cleave_host::{Report, Task};
use std::time::Duration;

/// Line items decided on in one go.
const LINE_ITEMS: u64 = 200;

/// The task; unfunded delivery waits for `settle_after`.
pub(crate) fn task(app: App, period: Duration, settle_after: Duration) -> Task {
    Task::new("settlement", period, move || {
        let app = app.clone();
        async move { tick(&app, settle_after).await }
    })
}

async fn tick(app: &App, settle_after: Duration) -> anyhow::Result<Report> {
    let before = app.clock().now().minus(settle_after);
    let due = app.store().unfunded_line_items(before, LINE_ITEMS).await?;
    let count = u64::try_from(due.len())?;
    for line_item in due {
        let settled = app.settle_unfunded(line_item, before).await?;
        if settled.written_off.is_positive() {
            tracing::warn!(
                line_item.id = %line_item,
                written_off.micros = settled.written_off.get(),
                "delivery that nothing covered is carried by the platform"
            );
        }
    }
    Ok(match count {
        0 => Report::idle(),
        LINE_ITEMS => Report::more(count),
        count => Report::did(count),
    })
}
