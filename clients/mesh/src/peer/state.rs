//! What is known of a replica, for the admin port.

use super::endpoint::Endpoint;
use crate::contract::ContractState;
use serde::Serialize;
use tokio::time::Instant;

/// What is known of a replica.
#[derive(Debug, Clone, Serialize)]
pub struct ReplicaState {
    /// Where it is.
    pub address: String,
    /// One of `idle`, `unreachable`, `ready`, `not serving`, `draining`, `ejected`.
    pub state: &'static str,
    /// The connections to it.
    pub connections: usize,
    /// The calls that wait for its answer.
    pub pending: u32,
    /// The time that its answers are expected to take, in microseconds.
    pub rtt_micros: u64,
    /// The calls sent to it.
    pub calls: u64,
    /// How many of those it failed.
    pub failures: u64,
    /// How often it was left alone because of them.
    pub ejections: u64,
    /// Why the last attempt to connect failed, when one did.
    pub last_error: Option<String>,
    /// How its contract looks from here; absent while there is no connection.
    pub contract: Option<ContractState>,
}

impl ReplicaState {
    pub(super) fn of(endpoint: &Endpoint) -> Self {
        let (calls, failures) = endpoint.counts();
        let rtt = endpoint.load.rtt(Instant::now());
        Self {
            address: endpoint.address.to_string(),
            state: endpoint.state(),
            connections: endpoint.connections(),
            pending: endpoint.load.pending(),
            rtt_micros: u64::try_from(rtt.as_micros()).unwrap_or(u64::MAX),
            calls,
            failures,
            ejections: endpoint.ejections(),
            last_error: endpoint.last_error().map(|error| error.to_string()),
            contract: endpoint.contract(),
        }
    }
}
