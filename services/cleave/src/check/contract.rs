//! Whether the services understand each other's contracts.

use std::collections::BTreeMap;

use super::finding::Finding;
use super::subject::Subject;
use crate::admin::{Contract, Peer, Skew, State};

/// The lines on the contracts of a service's peers, as it sees them: one for all replicas that look alike.
pub(super) fn check(subject: &Subject, state: &State) -> Vec<Finding> {
    let peers = state.peers.iter();
    peers.flat_map(|peer| edge(subject.name, peer)).collect()
}

fn edge(name: &str, peer: &Peer) -> Vec<Finding> {
    let mut alike: BTreeMap<_, Vec<_>> = BTreeMap::new();
    for replica in &peer.replicas {
        // Without a connection nothing is known, and nothing can go wrong.
        if let Some(contract) = &replica.contract {
            let seen = alike.entry(contract).or_default();
            seen.push(replica.address.as_str());
        }
    }
    let lines = alike.into_iter().flat_map(|(contract, addresses)| {
        let edge = format!("{name} → {}: {}", peer.name, addresses.join(", "));
        judge(&edge, contract)
    });
    lines.collect()
}

fn judge(edge: &str, contract: &Contract) -> Vec<Finding> {
    let Some(level) = contract.level.as_deref() else {
        return vec![Finding::warning(
            format!("{edge}: does not tell its contract"),
            "let it be asked (host.tls.contract), or bring it to this release",
        )];
    };
    match level {
        "same" => return vec![Finding::ok(format!("{edge}: the same contract"))],
        "safe" => {
            let methods = contract.skews.len();
            return vec![Finding::ok(format!(
                "{edge}: another contract, understood in full ({methods} methods differ)"
            ))];
        }
        _ => {}
    }
    let worse = |skew: &&Skew| !matches!(skew.level.as_str(), "same" | "safe");
    let skews = contract.skews.iter().filter(worse);
    skews.map(|skew| one(edge, skew)).collect()
}

fn one(edge: &str, skew: &Skew) -> Finding {
    let method = &skew.method;
    let why = skew.differences.first();
    let why = why.map_or_else(String::new, |why| format!(": {why}"));
    if skew.level == "unsafe" {
        return Finding::failure(
            format!("{edge}: {method} is not called, it would be misunderstood{why}"),
            "bring both to contracts that differ only in what is added",
        );
    }
    Finding::warning(
        format!("{edge}: {method} is understood as long as certain values are not used{why}"),
        "finish the upgrade",
    )
}

#[cfg(test)]
mod tests {
    use super::super::finding::Level;
    use super::*;

    fn found(replicas: &serde_json::Value) -> Vec<(Level, String)> {
        let peer = serde_json::json!({"name": "billing", "replicas": replicas});
        let peer = serde_json::from_value(peer).expect("a peer");
        let findings = edge("operations", &peer).into_iter();
        findings.map(|found| (found.level, found.text)).collect()
    }

    #[test]
    fn replicas_of_the_same_contract_are_one_line() {
        let same = serde_json::json!({"level": "same", "skews": []});
        let lines = found(&serde_json::json!([
            {"address": "10.0.0.1:1", "state": "ready", "contract": same},
            {"address": "10.0.0.2:1", "state": "ready", "contract": same},
            {"address": "10.0.0.3:1", "state": "idle", "contract": null},
        ]));
        let text = "operations → billing: 10.0.0.1:1, 10.0.0.2:1: the same contract";
        assert_eq!(lines, [(Level::Ok, text.to_owned())]);
    }

    #[test]
    fn every_method_that_is_not_understood_is_a_failure_that_names_it() {
        let skew = |method: &str, level: &str| serde_json::json!({"method": method, "level": level, "differences": ["request.amount changed its type"]});
        let lines = found(&serde_json::json!([{
            "address": "10.0.0.1:1",
            "state": "ready",
            "contract": {"level": "unsafe", "skews": [
                skew("a.B/Broken", "unsafe"), skew("a.B/Narrow", "conditional"), skew("a.B/Added", "safe"),
            ]},
        }]));
        let levels: Vec<_> = lines.iter().map(|(level, _)| *level).collect();
        assert_eq!(levels, [Level::Failure, Level::Warning]);
        let (_, text) = &lines[0];
        assert!(
            text.contains("a.B/Broken") && text.contains("changed its type"),
            "{text}"
        );
    }

    #[test]
    fn a_replica_that_does_not_tell_is_a_warning() {
        let untold = serde_json::json!({"level": null, "skews": []});
        let lines =
            found(&serde_json::json!([{"address": "h:1", "state": "ready", "contract": untold}]));
        assert!(matches!(&lines[..], [(Level::Warning, _)]), "{lines:?}");
    }
}
