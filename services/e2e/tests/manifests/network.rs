//! Who gets to whom: the ports of the code, the callers of the contracts, and nobody else.

use crate::scaling::selects;
use crate::settings::{self, usual_ports};
use crate::{Faults, SERVICES, pods, service};
use cleave_e2e::Manifests;
use serde_json::{Value, json};
use std::collections::BTreeSet;

/// The label by which pods that are no service say as whom they call.
const CALLER: &str = "cleave.local/caller";
/// Where name servers answer.
const NAMES: u64 = 53;

pub(crate) fn check(manifests: &Manifests, faults: &mut Faults) {
    for (own, peer) in SERVICES {
        let Some(policy) = faults.take(manifests.find("NetworkPolicy", own)) else {
            continue;
        };
        let policy = &policy["spec"];
        let both = policy["policyTypes"] == json!(["Ingress", "Egress"]);
        faults.unless(both, || format!("{own}: not both ways are guarded"));
        for (document, pod) in pods(manifests).filter(|(document, _)| service(document) == own) {
            let guarded = selects(
                &policy["podSelector"]["matchLabels"],
                &pod["metadata"]["labels"],
            );
            faults.unless(guarded, || {
                format!("{}: not guarded", crate::name(document))
            });
        }
        let [grpc, admin] = usual_ports(own).map(|port| u64::from(port.unwrap_or_default()));
        check_callers(
            manifests,
            own,
            peer,
            &rules(&policy["ingress"], grpc),
            faults,
        );
        let scrapers = rules(&policy["ingress"], admin);
        let only = scrapers.iter().map(|rule| &rule["from"]);
        let only: Vec<_> = only.collect();
        faults.unless(only == [&prometheus()], || {
            format!("{own}: the admin port is for Prometheus alone")
        });
        let entrances = policy["ingress"].as_array().map_or(0, Vec::len);
        faults.unless(entrances == 2, || {
            format!("{own}: {entrances} ways in, not two")
        });
        check_service(manifests, own, [grpc, admin], faults);
        check_ways_out(manifests, own, peer, policy, faults);
    }
}

/// Whom the admin port is for: Prometheus' own pods, in its own namespace.
fn prometheus() -> Value {
    json!([{
        "namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": "monitoring"}},
        "podSelector": {"matchLabels": {"app.kubernetes.io/name": "prometheus"}},
    }])
}

/// Those who get in are those whom the contracts let call.
fn check_callers(
    manifests: &Manifests,
    own: &str,
    peer: &str,
    rules: &[&Value],
    faults: &mut Faults,
) {
    let mut let_in = BTreeSet::new();
    for from in rules
        .iter()
        .flat_map(|rule| rule["from"].as_array())
        .flatten()
    {
        let labels = &from["podSelector"]["matchLabels"];
        let caller = labels[CALLER].as_str();
        let workload = labels["app.kubernetes.io/name"].as_str();
        match caller.or(workload) {
            Some(caller) => let_in.insert(caller.to_owned()),
            None => let_in.insert(format!("everyone like {labels}")),
        };
    }
    let prefix = format!("/cleave.{own}.");
    let methods = cleave_contracts::POLICIES.iter();
    let called = methods.filter(|method| method.path.starts_with(&prefix));
    let callers = called.flat_map(|method| method.callers);
    let callers: BTreeSet<_> = callers
        .map(|caller| (*caller).to_owned())
        .filter(|caller| caller != own)
        .collect();
    faults.unless(let_in == callers, || {
        format!("{own} lets in {let_in:?}, its contracts {callers:?}")
    });
    let there = manifests
        .workload(peer)
        .map(|one| &one["spec"]["template"]["metadata"]["labels"]);
    let Some(labels) = faults.take(there) else {
        return;
    };
    let known = rules
        .iter()
        .flat_map(|rule| rule["from"].as_array())
        .flatten();
    let known = known
        .filter(|from| selects(&from["podSelector"]["matchLabels"], labels))
        .count();
    faults.unless(known == 1, || format!("{own} does not let its peer in"));
}

fn check_service(manifests: &Manifests, own: &str, ports: [u64; 2], faults: &mut Faults) {
    let Some(named) = faults.take(manifests.find("Service", own)) else {
        return;
    };
    let named = &named["spec"];
    faults.unless(named["clusterIP"] == "None", || {
        format!("{own}: the mesh finds one address")
    });
    for (name, port) in ["grpc", "admin"].into_iter().zip(ports) {
        let mut all = named["ports"].as_array().into_iter().flatten();
        let there =
            all.any(|one| one["name"] == name && one["port"] == port && one["targetPort"] == name);
        faults.unless(there, || {
            format!("{own}: the Service has no port {name} at {port}")
        });
    }
}

/// Name servers, the peer, the port of the database where that is a server, and that of the collector where traces have
/// one.
fn check_ways_out(
    manifests: &Manifests,
    own: &str,
    peer: &str,
    policy: &Value,
    faults: &mut Faults,
) {
    let out = &policy["egress"];
    let grpc = u64::from(usual_ports(peer)[0].unwrap_or_default());
    for port in [NAMES, grpc] {
        faults.unless(rules(out, port).len() == 1, || {
            format!("{own}: no way out to port {port}")
        });
    }
    let ways = out.as_array().map_or(0, Vec::len);
    let Some(pod) = faults.take(manifests.workload(own).map(|one| &one["spec"]["template"])) else {
        return;
    };
    let told = settings::of(manifests, own, pod, &pod["spec"]["containers"][0]);
    let Some(told) = faults.take(told) else {
        return;
    };
    let embedded = told.database.starts_with("sqlite:");
    let collector = told.collector.rsplit(':').next().unwrap_or_default();
    let collector: Option<u64> = collector.parse().ok();
    if let Some(port) = collector {
        faults.unless(rules(out, port).len() == 1, || {
            format!("{own}: no way out to the collector at port {port}")
        });
    }
    let expected = 2 + usize::from(!embedded) + usize::from(collector.is_some());
    faults.unless(ways == expected, || {
        format!("{own}: {ways} ways out, not {expected}")
    });
}

/// The rules that speak of a port.
fn rules(list: &Value, port: u64) -> Vec<&Value> {
    let all = list.as_array().into_iter().flatten();
    all.filter(|rule| {
        let mut ports = rule["ports"].as_array().into_iter().flatten();
        ports.any(|one| one["port"] == port)
    })
    .collect()
}
