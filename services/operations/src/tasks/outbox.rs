//! Tells Billing what waits in the outbox.

use std::sync::Arc;
use std::time::Duration;

use cleave_host::{Report, Task};
use operations_store::outbox::Waiting;
use tokio::sync::Notify;

use crate::app::App;
use crate::peers::billing::{Answer, Billing};

/// Messages told in one tick.
const AT_ONCE: usize = 100;

/// The task; `wake` runs it at once.
pub fn task(app: App, billing: Billing, period: Duration, wake: Arc<Notify>) -> Task {
    Task::new("outbox-relay", period, move || {
        let (app, billing) = (app.clone(), billing.clone());
        async move { tick(&app, &billing).await }
    })
    .wake(wake)
}

async fn tick(app: &App, billing: &Billing) -> anyhow::Result<Report> {
    let limit = u64::try_from(AT_ONCE).unwrap_or(u64::MAX);
    let waiting = app.due_messages(limit).await?;
    let full = waiting.len() == AT_ONCE;
    let mut told = 0;
    for message in &waiting {
        told += u64::from(tell(app, billing, message).await?);
    }
    Ok(if full {
        Report::more(told)
    } else {
        Report::did(told)
    })
}

/// Tells one message; whether Billing has done what it asks.
async fn tell(app: &App, billing: &Billing, waiting: &Waiting) -> anyhow::Result<bool> {
    let error = match billing.tell(waiting.request, &waiting.message).await {
        Answer::Done(account) => {
            app.message_told(waiting, account).await?;
            return Ok(true);
        }
        Answer::Refused { reason, message } => format!("{reason}: {message}"),
        Answer::Silent { error } => error,
    };
    if waiting.attempts == 0 {
        tracing::warn!(
            request.id = %waiting.request,
            error,
            "Billing did not take a message; it will be told again"
        );
    } else {
        let attempts = waiting.attempts + 1;
        tracing::debug!(request.id = %waiting.request, attempts, error, "a message still waits");
    }
    app.message_failed(waiting, &error).await?;
    Ok(false)
}
