//! What every admin port tells at one moment.

use std::collections::BTreeMap;
use std::time::Instant;

use cleave_contracts::POLICIES;
use futures::future::join_all;

use crate::admin::{AdminPort, Peer, Process, State};
use crate::metrics::Exposition;

/// The workload that people and tools call as.
const TOOL: &str = "cleave";

/// A process and the services in it, which share its metrics.
pub(super) struct Host {
    pub(super) services: Vec<State>,
    pub(super) metrics: Exposition,
}

/// What every admin port told.
pub(super) struct Snapshot {
    pub(super) at: Instant,
    pub(super) hosts: BTreeMap<Key, Host>,
    pub(super) unreachable: Vec<String>,
}

/// Tells processes apart; those of older releases by their address.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Key {
    Process(Process),
    Address(String),
}

impl Snapshot {
    /// Asks every port at once.
    pub(super) async fn take(ports: &[AdminPort]) -> Self {
        let at = Instant::now();
        let answers = join_all(ports.iter().map(ask)).await;
        let mut hosts: BTreeMap<Key, Host> = BTreeMap::new();
        let mut unreachable = Vec::new();
        for (port, answer) in ports.iter().zip(answers) {
            match answer {
                Err(error) => unreachable.push(format!("{error:#}")),
                Ok((state, metrics)) => {
                    let address = || Key::Address(port.address().to_owned());
                    let key = state.process.map_or_else(address, Key::Process);
                    let services = Vec::new();
                    let host = hosts.entry(key).or_insert(Host { services, metrics });
                    host.services.push(state);
                }
            }
        }
        Self {
            at,
            hosts,
            unreachable,
        }
    }
}

impl Host {
    /// The service that answers a method: each has its part of the contract.
    pub(super) fn callee(&self, method: &str) -> String {
        let names = || self.services.iter().map(|state| state.service.as_str());
        let own = names().find(|name| method.contains(&format!(".{name}.")));
        own.map_or_else(|| names().collect::<Vec<_>>().join("+"), str::to_owned)
    }

    /// The service of this process that calls a method of a peer. None of them may when it is for people:
    /// then it was this command, loading its sample.
    pub(super) fn caller(&self, peer: &str, method: &str) -> String {
        let policy = POLICIES.get(&format!("/{method}"));
        let calls = |state: &&State| {
            let name = state.service.as_str();
            let allowed = policy.is_none_or(|policy| policy.callers.contains(&name));
            allowed && state.peers.iter().any(|known| known.name == peer)
        };
        let names = self.services.iter().filter(calls);
        let names: Vec<_> = names.map(|state| state.service.as_str()).collect();
        match names.as_slice() {
            [] => TOOL.to_owned(),
            names => names.join("+"),
        }
    }

    /// Every service with each of its peers.
    pub(super) fn peers(&self) -> impl Iterator<Item = (&str, &Peer)> {
        let services = self.services.iter();
        services.flat_map(|state| {
            let peers = state.peers.iter();
            peers.map(|peer| (state.service.as_str(), peer))
        })
    }
}

async fn ask(port: &AdminPort) -> anyhow::Result<(State, Exposition)> {
    let (state, metrics) = tokio::join!(port.state(), port.metrics());
    Ok((state?, metrics?))
}
