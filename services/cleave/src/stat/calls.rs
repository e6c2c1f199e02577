//! The calls of each method over each edge, out of the histograms of both halves.

use std::collections::BTreeMap;

use serde::Serialize;

use super::growth::growth;
use super::scrape::Host;
use crate::metrics::{Exposition, Histogram, Sample};

/// Whoever called, where the callee is of a release that does not tell.
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

/// The calls of one method over one edge, as one of its ends saw them.
#[derive(Debug, Clone, Serialize)]
pub(super) struct Calls {
    /// `other` for all whom no contract names.
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

/// What one end counted of a method over an edge.
#[derive(Default)]
pub(super) struct Tally {
    durations: Histogram,
    pub(super) calls: f64,
    failed: f64,
    retries: f64,
}

/// Caller, callee, method, and which end counted.
pub(super) type Edge = (String, String, String, &'static str);

impl Calls {
    pub(super) fn of(edge: Edge, tally: &Tally, seconds: Option<f64>) -> Self {
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
pub(super) fn calls(host: &Host, earlier: Option<&Host>, tallies: &mut BTreeMap<Edge, Tally>) {
    let server = |sample: &Sample| -> Edge {
        let method = sample.label("grpc_method");
        let caller = match sample.label("caller") {
            "" => ANYBODY,
            caller => caller,
        };
        (
            caller.to_owned(),
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
