//! Takes connections and deals them out to the workers.

use super::slot::Slots;
use super::worker::Workers;
use crate::drain::Drain;
use std::time::Duration;
use tokio::net::TcpListener;

/// The rest after a failure to accept: usually, too many files are open.
const REST: Duration = Duration::from_millis(50);

/// Takes connections until the drain closes the listener.
pub(crate) async fn accept(listener: TcpListener, workers: Workers, slots: Slots, drain: Drain) {
    loop {
        let accepted = tokio::select! {
            biased;
            () = drain.token().cancelled() => break,
            accepted = listener.accept() => accepted,
        };
        // The worker's own runtime must watch the socket, so this one lets go of it.
        match accepted.and_then(|(stream, _)| stream.into_std()) {
            Ok(stream) => {
                // Closed at once rather than left waiting: the client can go to another replica.
                let Some(slot) = slots.take() else { continue };
                workers.hand_over(stream, slot).await;
            }
            Err(error) => {
                tracing::warn!(%error, "a connection could not be accepted");
                tokio::time::sleep(REST).await;
            }
        }
    }
}
