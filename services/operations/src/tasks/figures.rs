//! Asks for the figures that only the database knows: what waits, how far the other side was followed.

use std::time::Duration;

use cleave_host::Task;
use cleave_storage::Figures;
use operations_store::peer_feed::ACCOUNTS;

use super::meter;
use crate::app::App;

/// What others follow.
const CATALOG: &str = "operations.catalog";
const DELIVERY: &str = "operations.delivery";

/// The task.
pub fn task(app: App, period: Duration) -> Task {
    let service = "operations";
    let figures = Figures::new(service, CATALOG, app.store().db().clone());
    Task::figures(service, period, move || {
        let (app, figures) = (app.clone(), figures.clone());
        async move {
            figures.publish().await?;
            figures.publish_head(DELIVERY, app.delivery_head().await?.seq);
            if let Some(position) = app.accounts_position().await? {
                figures.publish_cursor(ACCOUNTS, position.revision);
                meter::feed_age(app.clock().now().since(position.heard_at));
            }
            let (messages, oldest) = app.outbox_depth().await?;
            let waited = oldest.map(|oldest| app.clock().now().since(oldest));
            meter::outbox(messages, waited.unwrap_or_default());
            Ok(())
        }
    })
}
