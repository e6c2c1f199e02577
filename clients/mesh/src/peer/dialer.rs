//! Keeps a replica connected as long as it is needed.
//!
//! Idle until a call wants it; connecting, with a growing wait after each failure; ready; and connecting
//! again as soon as the peer announces the end of a connection, or new credentials take its place, while
//! the calls on that one still run.

use super::connection::{Closing, Connection};
use super::contract;
use super::dial_error::DialError;
use super::endpoint::Endpoint;
use super::health;
use crate::metrics::Reason;
use futures::future::BoxFuture;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;
use tokio::time::{Instant, sleep_until, timeout_at};
use tokio_util::sync::CancellationToken;

/// Waits are spread over this range around their length, in percent.
const JITTER_PERCENT: std::ops::RangeInclusive<u32> = 80..=120;
/// The growth of the wait from one attempt to the next, in percent.
const GROWTH_PERCENT: u32 = 160;

/// Drives the connections of a replica until it is removed.
pub(super) async fn drive(endpoint: Arc<Endpoint>) {
    let stop = endpoint.stop.clone();
    let driving = async {
        let mut backoff = Backoff::new(&endpoint);
        loop {
            endpoint.wanted.notified().await;
            while endpoint.lacks_connection() {
                match dial(&endpoint).await {
                    Ok(()) => backoff = Backoff::new(&endpoint),
                    Err(outdated) => backoff.wait(&endpoint, outdated).await,
                }
            }
        }
    };
    stop.run_until_cancelled(driving).await;
}

/// Makes one attempt to connect; when it fails, tells when other credentials may fare better.
async fn dial(endpoint: &Arc<Endpoint>) -> Result<(), BoxFuture<'static, ()>> {
    let shared = &endpoint.shared;
    // Asked before the connection is made, so that no change is missed.
    let outdated = shared.way.connect.outdated();
    match open(endpoint).await {
        Ok((connection, closing)) => {
            let connection = Arc::new(connection);
            endpoint.connected(&connection);
            tokio::spawn(attend(Arc::clone(endpoint), connection, closing, outdated));
            Ok(())
        }
        Err(error) => {
            tracing::debug!(
                rpc.peer = &*shared.peer,
                endpoint = &*endpoint.address,
                %error,
                "cannot connect"
            );
            endpoint.dial_failed(error);
            Err(outdated)
        }
    }
}

/// Opens a connection. The contract is asked for while the peer's first word is still under way; only that word is
/// held to the time that connecting may take.
async fn open(endpoint: &Endpoint) -> Result<(Connection, Closing), DialError> {
    let shared = &endpoint.shared;
    let end = Instant::now() + shared.tuning.connect_timeout;
    let manner = (&shared.tuning, endpoint.keepalive.pings());
    let beginning = Connection::begin(&endpoint.address, &*shared.way.connect, manner);
    let (mut connection, opening) = timeout_at(end, beginning)
        .await
        .unwrap_or(Err(DialError::Slow))?;
    let opening = async {
        timeout_at(end, opening.heard())
            .await
            .unwrap_or(Err(DialError::Slow))
    };
    let meeting = async { Ok(contract::meet(endpoint, &connection).await) };
    let (closing, judgement) = tokio::try_join!(opening, meeting)?;
    connection.agree(judgement);
    Ok((connection, closing))
}

/// Stays with a connection until it takes no further calls.
async fn attend(
    endpoint: Arc<Endpoint>,
    connection: Arc<Connection>,
    closing: Closing,
    outdated: BoxFuture<'static, ()>,
) {
    let closed = CancellationToken::new();
    if endpoint.shared.tuning.watch_health {
        let watching = health::watch(Arc::clone(&endpoint), Arc::clone(&connection));
        tokio::spawn(closed.clone().run_until_cancelled_owned(watching));
    }
    let _closed = closed.drop_guard();
    let mut ended = pin!(async {
        tokio::select! {
            biased;
            // What ends from here without a word of the peer's ends for its silence.
            () = closing.closed() => Reason::TimedOut,
            () = connection.closed() => Reason::Shutdown,
            () = endpoint.stop.cancelled() => Reason::Shutdown,
        }
    });
    let reason = tokio::select! {
        biased;
        reason = ended.as_mut() => reason,
        () = outdated => {
            endpoint.outdated(&connection);
            ended.await
        }
    };
    let reason = connection.end().unwrap_or(reason);
    if reason == Reason::TOO_MANY_PINGS {
        endpoint.pinged_too_often(&connection);
    }
    endpoint.disconnected(&connection, reason);
    if endpoint.is_in_use() {
        endpoint.wanted.notify_one();
    }
}

/// The waits between attempts to connect.
struct Backoff {
    next: Duration,
}

impl Backoff {
    fn new(endpoint: &Endpoint) -> Self {
        Self {
            next: endpoint.shared.tuning.first_backoff,
        }
    }

    /// Waits; less when calls fail for want of this replica, and not at all when other credentials may
    /// fare better.
    async fn wait(&mut self, endpoint: &Endpoint, outdated: BoxFuture<'static, ()>) {
        let tuning = &endpoint.shared.tuning;
        let failed = Instant::now();
        let patient = failed + jittered(self.next);
        let pressed = failed + jittered(tuning.demanded_backoff.min(self.next));
        self.next = (self.next * GROWTH_PERCENT / 100).min(tuning.max_backoff);
        let demanded = async {
            endpoint.demanded.notified().await;
            sleep_until(pressed).await;
        };
        tokio::select! {
            biased;
            () = sleep_until(patient) => {}
            () = demanded => {}
            () = outdated => {}
        }
    }
}

fn jittered(wait: Duration) -> Duration {
    wait * fastrand::u32(JITTER_PERCENT) / 100
}
