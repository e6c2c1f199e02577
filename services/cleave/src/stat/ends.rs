//! The replicas as their callers see them, and the services themselves.

use std::time::Duration;

use serde::Serialize;

use super::growth::growth;
use super::scrape::Host;
use crate::admin::Replica;
use crate::metrics::Sample;

/// One replica, as a caller sees it.
#[derive(Debug, Clone, Serialize)]
pub(super) struct ReplicaFigures {
    pub(super) caller: String,
    pub(super) callee: String,
    pub(super) address: String,
    pub(super) state: String,
    pub(super) calls: u64,
    pub(super) failures: u64,
    pub(super) ejections: u64,
    pub(super) pending: u32,
    pub(super) rtt_seconds: f64,
    /// What is left of the retry tokens towards the peer, in percent.
    pub(super) tokens_percent: Option<f64>,
    /// What is left of the retry budget towards the peer, in percent.
    pub(super) budget_percent: Option<u32>,
}

/// One service.
#[derive(Debug, Clone, Serialize)]
pub(super) struct Service {
    pub(super) name: String,
    pub(super) version: String,
    pub(super) ready: bool,
    pub(super) in_flight: Option<f64>,
    pub(super) limit: Option<f64>,
    pub(super) shed: f64,
}

/// The replicas of every peer of every service of a process.
pub(super) fn replicas(host: &Host, earlier: Option<&Host>) -> Vec<ReplicaFigures> {
    let find = |caller: &str, callee: &str, address: &str| -> Option<&Replica> {
        let mut peers = earlier?.peers();
        let (_, peer) = peers.find(|(name, peer)| *name == caller && peer.name == callee)?;
        peer.replicas
            .iter()
            .find(|replica| replica.address == address)
    };
    let mut found = Vec::new();
    for (caller, peer) in host.peers() {
        for replica in &peer.replicas {
            let before = find(caller, &peer.name, &replica.address);
            let since = |count: fn(&Replica) -> u64| {
                let now = count(replica);
                now.checked_sub(before.map_or(0, count)).unwrap_or(now)
            };
            found.push(ReplicaFigures {
                caller: caller.to_owned(),
                callee: peer.name.clone(),
                address: replica.address.clone(),
                state: replica.state.clone(),
                calls: since(|replica| replica.calls),
                failures: since(|replica| replica.failures),
                ejections: since(|replica| replica.ejections),
                pending: replica.pending,
                rtt_seconds: Duration::from_micros(replica.rtt_micros).as_secs_f64(),
                // A full bucket holds a thousand.
                tokens_percent: peer.retry_tokens.map(|tokens| tokens / 10.0),
                budget_percent: peer.retry_budget,
            });
        }
    }
    found
}

/// The services of a process.
pub(super) fn services(host: &Host, earlier: Option<&Host>) -> Vec<Service> {
    let states = host.services.iter();
    let figures = states.map(|state| {
        let own = |sample: &&Sample| sample.label("service") == state.service;
        let gauge = |name| {
            host.metrics
                .named(name)
                .find(own)
                .map(|sample| sample.value)
        };
        let shed = growth("cleave_server_calls_shed", &host.metrics, earlier);
        Service {
            name: state.service.clone(),
            version: state.version.clone(),
            ready: state.ready,
            in_flight: gauge("cleave_server_calls"),
            limit: gauge("cleave_server_calls_limit"),
            shed: shed
                .filter(|(sample, _)| own(sample))
                .map(|(_, grown)| grown)
                .sum(),
        }
    });
    figures.collect()
}
