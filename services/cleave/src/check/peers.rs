//! Whether the services can be called, from here and by each other.

use std::time::Duration;

use anyhow::Result;
use cleave_host::{Inquiry, ServingStatus};

use super::finding::Finding;
use super::subject::Subject;
use crate::admin::{Replica, State};

/// The line on a service's admin port, and those on its readiness.
pub(super) fn admin(subject: &Subject, state: &Result<State>) -> Vec<Finding> {
    let name = subject.name;
    let state = match state {
        Ok(state) => state,
        Err(error) => {
            return vec![Finding::failure(
                format!("{name}: its admin port does not answer: {error:#}"),
                format!("start {name}, or mend host.admin"),
            )];
        }
    };
    if state.service != name {
        return vec![Finding::failure(
            format!(
                "{name}: {} answers at {}",
                state.service,
                subject.admin.address()
            ),
            "give each service an admin port of its own (host.admin)",
        )];
    }
    if state.ready {
        return vec![Finding::ok(format!("{name}: {} is ready", state.version))];
    }
    if state.draining {
        return vec![Finding::warning(
            format!("{name}: is draining"),
            "start it again",
        )];
    }
    let troubles = state.probes.iter().filter(|probe| !probe.ok);
    let told: Vec<_> = troubles
        .map(|probe| {
            let problem = probe.problem.as_deref().unwrap_or("fails");
            Finding::failure(
                format!("{name}: not ready: {}: {problem}", probe.name),
                "calls are refused until this is mended",
            )
        })
        .collect();
    if told.is_empty() {
        return vec![Finding::failure(
            format!("{name}: not ready yet"),
            "wait: --wait 30s",
        )];
    }
    told
}

/// The line on a service's port for calls.
pub(super) async fn serving(subject: &Subject, timeout: Duration) -> Finding {
    let (name, listen) = (subject.name, subject.host.listen.as_str());
    let mend = format!("start {name}, or mend host.listen and host.tls");
    let refused = |why: String, mend: &str| {
        Finding::failure(format!("{name}: cannot be called on {listen}: {why}"), mend)
    };
    // What a subject shows to a peer: its own certificate, if it has one.
    let credentials = match subject.host.tls.credentials() {
        Ok(credentials) => credentials,
        Err(error) => return refused(format!("{error:#}"), &mend),
    };
    let inquiry = Inquiry {
        workload: name,
        address: &local(listen),
        credentials,
        service: "",
        timeout,
    };
    match inquiry.ask().await {
        Ok(ServingStatus::Serving) => Finding::ok(format!("{name}: serves calls on {listen}")),
        Ok(status) => refused(format!("it says {}", status.as_str_name()), &mend),
        Err(error) => refused(error.to_string(), error.mend().unwrap_or(&mend)),
    }
}

/// A wildcard is called by its loopback address.
fn local(listen: &str) -> String {
    let address = listen.parse::<std::net::SocketAddr>();
    match address {
        Ok(address) if address.ip().is_unspecified() => match address {
            std::net::SocketAddr::V4(_) => format!("127.0.0.1:{}", address.port()),
            std::net::SocketAddr::V6(_) => format!("[::1]:{}", address.port()),
        },
        _ => listen.to_owned(),
    }
}

/// The lines on how a service finds its peers.
pub(super) fn edges(subject: &Subject, state: &State) -> Vec<Finding> {
    let mut found = Vec::new();
    for peer in &state.peers {
        let edge = format!("{} → {}", subject.name, peer.name);
        let usable = peer.replicas.iter().any(is_usable);
        if peer.replicas.is_empty() {
            found.push(Finding::failure(
                format!("{edge}: no replica is known"),
                format!("mend peers.{}", peer.name),
            ));
        }
        let replicas = peer.replicas.iter();
        found.extend(replicas.map(|replica| one(&edge, replica, usable)));
        if peer.retry_tokens.is_some_and(|left| left <= 500.0) || peer.retry_budget == Some(0) {
            found.push(Finding::warning(
                format!("{edge}: too many calls fail, so failed calls are not tried again"),
                format!("look at {} with `cleave stat`", peer.name),
            ));
        }
    }
    found
}

fn one(edge: &str, replica: &Replica, others_usable: bool) -> Finding {
    let Replica { address, state, .. } = replica;
    if is_usable(replica) {
        let rtt = Duration::from_micros(replica.rtt_micros);
        return Finding::ok(match replica.calls {
            0 => format!("{edge}: {address} {state}, not called yet"),
            calls => format!(
                "{edge}: {address} {state}, {calls} calls, {} of them failed, now about {}",
                replica.failures,
                crate::output::latency(rtt.as_secs_f64())
            ),
        });
    }
    let why = replica.last_error.as_deref();
    let why = why.map_or_else(String::new, |why| format!(": {why}"));
    let text = format!("{edge}: {address} is {state}{why}");
    let hint = "look at the replica itself: its log, its admin port";
    if others_usable {
        Finding::warning(text, format!("{hint}; calls go to the others meanwhile"))
    } else {
        Finding::failure(text, hint)
    }
}

fn is_usable(replica: &Replica) -> bool {
    replica.state == "ready" || replica.state == "idle"
}
