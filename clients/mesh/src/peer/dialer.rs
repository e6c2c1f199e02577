//! Keeps a replica connected as long as it is needed.
//!
//! Idle until a call wants it; connecting, with a growing wait after each failure; ready; and connecting
//! again as soon as the peer announces the end of a connection, while the calls on that one still run.

use super::connection::{Closing, Connection, DialError};
use super::contract;
use super::endpoint::Endpoint;
use super::health;
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
                if dial(&endpoint).await {
                    backoff = Backoff::new(&endpoint);
                } else {
                    backoff.wait(&endpoint).await;
                }
            }
        }
    };
    stop.run_until_cancelled(driving).await;
}

/// Makes one attempt to connect.
async fn dial(endpoint: &Arc<Endpoint>) -> bool {
    let shared = &endpoint.shared;
    match open(endpoint).await {
        Ok((connection, closing)) => {
            let connection = Arc::new(connection);
            endpoint.connected(&connection);
            let endpoint = Arc::clone(endpoint);
            tokio::spawn(async move {
                let closed = CancellationToken::new();
                if endpoint.shared.tuning.watch_health {
                    let watching = health::watch(Arc::clone(&endpoint), Arc::clone(&connection));
                    tokio::spawn(closed.clone().run_until_cancelled_owned(watching));
                }
                let _closed = closed.drop_guard();
                endpoint.stop.run_until_cancelled(closing.closed()).await;
                endpoint.disconnected(&connection);
                if endpoint.is_in_use() {
                    endpoint.wanted.notify_one();
                }
            });
            true
        }
        Err(error) => {
            tracing::debug!(
                rpc.peer = &*shared.peer,
                endpoint = &*endpoint.address,
                %error,
                "cannot connect"
            );
            endpoint.dial_failed(error);
            false
        }
    }
}

/// Opens a connection. The contract is asked for while the peer's first word is still under way; only that word is
/// held to the time that connecting may take.
async fn open(endpoint: &Endpoint) -> Result<(Connection, Closing), DialError> {
    let shared = &endpoint.shared;
    let end = Instant::now() + shared.tuning.connect_timeout;
    let beginning = Connection::begin(&endpoint.address, &*shared.connect, &shared.tuning);
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

    /// Waits; less when calls fail for want of this replica.
    async fn wait(&mut self, endpoint: &Endpoint) {
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
            () = sleep_until(patient) => {}
            () = demanded => {}
        }
    }
}

fn jittered(wait: Duration) -> Duration {
    wait * fastrand::u32(JITTER_PERCENT) / 100
}
