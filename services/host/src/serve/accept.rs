//! Takes connections and deals them out to the workers.

use super::listen::Port;
use super::slot::Slots;
use super::worker::Workers;
use crate::drain::Drain;
use std::time::Duration;

/// The rest after a failure to accept: usually, too many files are open.
pub(crate) const REST: Duration = Duration::from_millis(50);

/// Takes connections until the drain closes the listener.
pub(crate) async fn accept(mut port: Port, workers: Workers, slots: Slots, drain: Drain) {
    let mut failing = false;
    loop {
        let accepted = tokio::select! {
            biased;
            () = drain.token().cancelled() => break,
            accepted = port.accept() => accepted,
        };
        match accepted {
            Ok(connection) => {
                failing = false;
                // Closed at once rather than left waiting: the client can go to another replica.
                let Some(slot) = slots.take() else { continue };
                workers.hand_over(connection, slot);
            }
            Err(error) => {
                // Once, for it fails as often as it is tried.
                if !std::mem::replace(&mut failing, true) {
                    tracing::warn!(%error, "connections cannot be accepted");
                }
                tokio::time::sleep(REST).await;
            }
        }
    }
}
