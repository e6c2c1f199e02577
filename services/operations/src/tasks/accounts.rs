//! Follows Billing's accounts into the projection.

use std::sync::Arc;

use anyhow::Context as _;
use billing_client::pb;
use cleave_host::{Session, StreamTask};
use futures::StreamExt;
use operations_store::peer_feed::PeerPosition;
use tokio::sync::Notify;
use tonic::Code;

use super::meter;
use crate::app::App;
use crate::peers::billing::{Billing, instant, projection};

/// The task; `changed` wakes who depends on accounts.
pub fn task(app: App, billing: Billing, changed: Arc<Notify>) -> StreamTask {
    StreamTask::new("account-projection", move |session| {
        let (app, billing, changed) = (app.clone(), billing.clone(), Arc::clone(&changed));
        async move { follow(&app, &billing, &changed, &session).await }
    })
}

async fn follow(
    app: &App,
    billing: &Billing,
    changed: &Notify,
    session: &Session,
) -> anyhow::Result<()> {
    let resume_token = app.accounts_token().await?;
    let opened = billing
        .client()
        .watch_accounts(pb::WatchAccountsRequest { resume_token })
        .await;
    let mut messages = match opened {
        Ok(messages) => messages,
        Err(error) => return refused(app, error).await,
    };
    loop {
        let message = tokio::select! {
            () = session.stopped() => return Ok(()),
            message = messages.next() => message,
        };
        match message {
            None => return Ok(()),
            Some(Err(error)) => return refused(app, error).await,
            Some(Ok(message)) => {
                if take(app, message).await? > 0 {
                    changed.notify_one();
                }
                session.progress();
            }
        }
    }
}

/// Begins anew when Billing does not honour the token; everything else is tried again by the driver.
async fn refused(app: &App, error: billing_client::CallError) -> anyhow::Result<()> {
    if matches!(error.code, Code::OutOfRange | Code::InvalidArgument) {
        tracing::warn!(%error, "Billing's accounts are followed from the beginning");
        app.restart_accounts().await?;
        return Ok(());
    }
    Err(error).context("Billing's accounts cannot be followed")
}

async fn take(app: &App, message: pb::WatchAccountsResponse) -> anyhow::Result<usize> {
    let mut accounts = Vec::with_capacity(message.accounts.len());
    for info in &message.accounts {
        match projection(info) {
            Ok(account) => accounts.push(account),
            // One account of a newer release must not hold up the others.
            Err(nonsense) => tracing::error!(
                error = %nonsense,
                account.id = info.account_id,
                "an account that Billing told of is passed over"
            ),
        }
    }
    let position = PeerPosition {
        token: message.resume_token,
        revision: message.revision,
        as_of: instant(message.as_of_time.as_ref()),
        heard_at: app.clock().now(),
    };
    let news = app.apply_accounts(&accounts, &position).await?;
    let lag = position.heard_at.since(position.as_of);
    meter::feed_lag(lag);
    Ok(news)
}
