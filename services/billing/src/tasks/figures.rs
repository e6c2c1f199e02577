//! Asks for the figures that only the database knows: money, what is due, how far the other side was followed.

use super::heard::Heard;
use super::meter;
use crate::app::App;
use cleave_host::Task;
use cleave_storage::Figures;
use std::time::Duration;

/// The feed that others follow.
const ACCOUNTS: &str = "billing.accounts";
/// The feed that Billing follows.
const DELIVERY: &str = "operations.delivery";

/// The task. What belongs to rating is told only where this process rates: where something is `heard`.
pub(crate) fn task(app: App, heard: Option<Heard>, period: Duration) -> Task {
    let service = "billing";
    let figures = Figures::new(service, ACCOUNTS, app.store().database().clone());
    Task::figures(service, period, move || {
        let (app, heard, figures) = (app.clone(), heard.clone(), figures.clone());
        async move {
            figures.publish().await?;
            let (store, now) = (app.store(), app.clock().now());
            if let Some(heard) = heard {
                meter::lag(now.since(heard.last()));
                let progress = store.delivery_progress().await?;
                figures.publish_cursor(DELIVERY, progress.revision);
            }
            let reservations = store.reservation_figures().await?;
            let late = reservations.first_due.map(|due| now.since(due));
            meter::reservations(reservations.live, late.unwrap_or_default());
            for (currency, money) in store.money_figures().await? {
                meter::money(currency.code(), &money);
            }
            Ok(())
        }
    })
}
