//! What happened between two moments, per edge and method, per replica and per service.

use std::collections::BTreeMap;
use std::time::Duration;

use serde::Serialize;

use super::scrape::{Host, Snapshot};
use crate::admin::Replica;
use crate::metrics::{Exposition, Histogram, Sample};

/// Whoever called, as the callee counts.
const ANYBODY: &str = "*";
/// Statuses that are the fault of the callee or of the way to it, rather than of the question.
const FAILURES: [&str; 7] = [
    "UNKNOWN",
    "DEADLINE_EXCEEDED",
    "RESOURCE_EXHAUSTED",
    "UNIMPLEMENTED",
    "INTERNAL",
    "UNAVAILABLE",
    "DATA_LOSS",
];

/// Everything that happened.
#[derive(Debug, Serialize)]
pub(super) struct Figures {
    /// How long it took; absent when it is since the start of each process.
    pub(super) seconds: Option<f64>,
    pub(super) calls: Vec<Calls>,
    pub(super) replicas: Vec<ReplicaFigures>,
    pub(super) services: Vec<Service>,
    pub(super) unreachable: Vec<String>,
}

/// The calls of one method over one edge, as one of its ends saw them.
#[derive(Debug, Clone, Serialize)]
pub(super) struct Calls {
    pub(super) caller: String,
    pub(super) callee: String,
    pub(super) method: String,
    /// `caller` or `callee`.
    pub(super) seen_by: &'static str,
    pub(super) calls: f64,
    pub(super) per_second: Option<f64>,
    /// The part that did not fail, 0 to 1.
    pub(super) success: f64,
    pub(super) p50_seconds: Option<f64>,
    pub(super) p95_seconds: Option<f64>,
    pub(super) p99_seconds: Option<f64>,
    /// Attempts after the first; the caller's to know.
    pub(super) retries: Option<f64>,
}

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

/// What one end counted of a method over an edge.
#[derive(Default)]
struct Tally {
    durations: Histogram,
    calls: f64,
    failed: f64,
    retries: f64,
}

type Edge = (String, String, String, &'static str);

impl Figures {
    /// Between two snapshots; since the start of each process without an earlier one.
    pub(super) fn between(before: Option<&Snapshot>, after: &Snapshot) -> Self {
        let seconds = before.map(|before| after.at.duration_since(before.at).as_secs_f64());
        let mut tallies: BTreeMap<Edge, Tally> = BTreeMap::new();
        let (mut replicas, mut services) = (Vec::new(), Vec::new());
        for (key, host) in &after.hosts {
            let earlier = before.and_then(|before| before.hosts.get(key));
            calls(host, earlier, &mut tallies);
            replicas.extend(self::replicas(host, earlier));
            services.extend(self::services(host, earlier));
        }
        let tallies = tallies.into_iter().filter(|(_, tally)| tally.calls > 0.0);
        let mut calls: Vec<_> = tallies
            .map(|(edge, tally)| Calls::of(edge, &tally, seconds))
            .collect();
        calls.sort_by(|a, b| {
            let edge = |calls: &Calls| (calls.callee.clone(), calls.caller.clone());
            edge(a).cmp(&edge(b)).then(b.calls.total_cmp(&a.calls))
        });
        Self {
            seconds,
            calls,
            replicas,
            services,
            unreachable: after.unreachable.clone(),
        }
    }

    /// Keeps the methods whose name holds this.
    pub(super) fn keep(&mut self, part: &str) {
        self.calls.retain(|calls| calls.method.contains(part));
    }
}

impl Calls {
    fn of(edge: Edge, tally: &Tally, seconds: Option<f64>) -> Self {
        let (caller, callee, method, seen_by) = edge;
        let quantile = |q| tally.durations.quantile(q);
        Self {
            caller,
            callee,
            method,
            seen_by,
            calls: tally.calls,
            per_second: seconds.map(|seconds| tally.calls / seconds.max(0.001)),
            success: 1.0 - tally.failed / tally.calls,
            p50_seconds: quantile(0.5),
            p95_seconds: quantile(0.95),
            p99_seconds: quantile(0.99),
            retries: (seen_by == "caller").then_some(tally.retries),
        }
    }
}

/// Adds what both halves of a process counted.
fn calls(host: &Host, earlier: Option<&Host>, tallies: &mut BTreeMap<Edge, Tally>) {
    let server = |sample: &Sample| -> Edge {
        let method = sample.label("grpc_method");
        (
            ANYBODY.to_owned(),
            host.callee(method),
            method.to_owned(),
            "callee",
        )
    };
    let client = |sample: &Sample| -> Edge {
        let (method, peer) = (sample.label("grpc_method"), sample.label("grpc_target"));
        (
            host.caller(peer, method),
            peer.to_owned(),
            method.to_owned(),
            "caller",
        )
    };
    durations("grpc_server_call_duration", host, earlier, &server, tallies);
    durations("grpc_client_call_duration", host, earlier, &client, tallies);
    for name in [
        "grpc_client_call_retries_sum",
        "grpc_client_call_transparent_retries_sum",
    ] {
        for (sample, grown) in growth(name, &host.metrics, earlier) {
            tallies.entry(client(sample)).or_default().retries += grown;
        }
    }
}

/// Adds the histograms of this name, each of one method and status.
fn durations(
    name: &str,
    host: &Host,
    earlier: Option<&Host>,
    edge: &dyn Fn(&Sample) -> Edge,
    tallies: &mut BTreeMap<Edge, Tally>,
) {
    let name = format!("{name}_bucket");
    let before = earlier.map(|earlier| histograms(&name, &earlier.metrics, edge));
    for (key, new) in histograms(&name, &host.metrics, edge) {
        let old = before.as_ref().and_then(|before| before.get(&key));
        let grown = old.map_or_else(|| new.clone(), |old| new.since(old));
        let (edge, status) = key;
        let tally = tallies.entry(edge).or_default();
        tally.calls += grown.count();
        if FAILURES.contains(&status.as_str()) {
            tally.failed += grown.count();
        }
        tally.durations.merge(&grown);
    }
}

/// The histograms by edge and status.
fn histograms(
    name: &str,
    metrics: &Exposition,
    edge: &dyn Fn(&Sample) -> Edge,
) -> BTreeMap<(Edge, String), Histogram> {
    let mut found: BTreeMap<_, Histogram> = BTreeMap::new();
    for sample in metrics.named(name) {
        let bound = match sample.label("le") {
            "+Inf" => Some(f64::INFINITY),
            bound => bound.parse().ok(),
        };
        let key = (edge(sample), sample.label("grpc_status").to_owned());
        if let Some(bound) = bound {
            found.entry(key).or_default().add(bound, sample.value);
        }
    }
    found
}

/// By how much each counter of this name has grown; all of it where the process began anew.
fn growth<'a>(
    name: &'a str,
    metrics: &'a Exposition,
    earlier: Option<&'a Host>,
) -> impl Iterator<Item = (&'a Sample, f64)> {
    metrics.named(name).map(move |sample| {
        let before = earlier
            .into_iter()
            .flat_map(|earlier| earlier.metrics.named(name))
            .find(|before| before.labels == sample.labels)
            .map_or(0.0, |before| before.value);
        let grown = sample.value - before;
        (sample, if grown < 0.0 { sample.value } else { grown })
    })
}

fn replicas(host: &Host, earlier: Option<&Host>) -> Vec<ReplicaFigures> {
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

fn services(host: &Host, earlier: Option<&Host>) -> Vec<Service> {
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
