//! Expiry: reservations settle and close, overrides end, by Billing's clock.

use crate::app::App;
use cleave_host::{Report, Task};
use std::time::Duration;

/// The task.
pub(crate) fn task(app: App, period: Duration) -> Task {
    Task::new("expiry", period, move || {
        let app = app.clone();
        async move {
            let (moved, more) = app.expire().await?;
            Ok(match (moved, more) {
                (0, _) => Report::idle(),
                (moved, false) => Report::did(moved),
                (moved, true) => Report::more(moved),
            })
        }
    })
}
