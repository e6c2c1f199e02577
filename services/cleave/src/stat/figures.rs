//! What happened between two moments, per edge and method, per replica and per service.

use std::collections::BTreeMap;

use serde::Serialize;

use super::calls::{Calls, Edge, Tally, calls};
use super::ends::{ReplicaFigures, Service, replicas, services};
use super::scrape::Snapshot;

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

impl Figures {
    /// Between two snapshots; since the start of each process without an earlier one.
    pub(super) fn between(before: Option<&Snapshot>, after: &Snapshot) -> Self {
        let seconds = before.map(|before| after.at.duration_since(before.at).as_secs_f64());
        let mut tallies: BTreeMap<Edge, Tally> = BTreeMap::new();
        let (mut all_replicas, mut all_services) = (Vec::new(), Vec::new());
        for (key, host) in &after.hosts {
            let earlier = before.and_then(|before| before.hosts.get(key));
            // Of one that answers for the first time it is not known what it did before.
            let counted = earlier.is_some() || seconds.is_none_or(|since| host.is_younger(since));
            if counted {
                calls(host, earlier, &mut tallies);
            }
            all_replicas.extend(replicas(host, earlier));
            all_services.extend(services(host, earlier));
        }
        let tallies = tallies.into_iter().filter(|(_, tally)| tally.calls > 0.0);
        let all_calls: Vec<_> = tallies
            .map(|(edge, tally)| Calls::of(edge, &tally, seconds))
            .collect();
        Self {
            seconds,
            calls: ordered(&all_calls),
            replicas: all_replicas,
            services: all_services,
            unreachable: after.unreachable.clone(),
        }
    }

    /// Keeps the methods whose name holds this.
    pub(super) fn keep(&mut self, part: &str) {
        self.calls.retain(|calls| calls.method.contains(part));
    }
}

/// Edge by edge, the busiest method first; what both ends saw of one stays together, the caller's view before the
/// callee's.
fn ordered(calls: &[Calls]) -> Vec<Calls> {
    let edge = |calls: &Calls| (calls.callee.clone(), calls.caller.clone());
    let views = calls.chunk_by(|a, b| edge(a) == edge(b) && a.method == b.method);
    let mut views: Vec<Vec<Calls>> = views.map(<[_]>::to_vec).collect();
    let most = |views: &[Calls]| views.iter().map(|one| one.calls).fold(0.0, f64::max);
    views.sort_by(|a, b| {
        let by_edge = edge(&a[0]).cmp(&edge(&b[0]));
        by_edge.then_with(|| most(b).total_cmp(&most(a)))
    });
    for views in &mut views {
        views.sort_by_key(|one| std::cmp::Reverse(one.seen_by));
    }
    views.concat()
}
