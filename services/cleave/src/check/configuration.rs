//! Whether the settings make sense, each service's and all together.

use std::net::SocketAddr;

use super::finding::Finding;
use super::subject::{Faulty, Subject};

/// Lines on the settings that cannot be used.
pub(super) fn faults(faulty: &Faulty) -> Vec<Finding> {
    let name = faulty.name;
    let faults = faulty.rejected.0.iter();
    faults
        .map(|fault| {
            let key = match fault.key.as_str() {
                "" => String::new(),
                key => format!("{key} "),
            };
            let text = format!("{name}: {key}{} (from {})", fault.problem, fault.source);
            Finding::failure(text, fault.mend.clone())
        })
        .chain([Finding::failure(
            format!("{name}: nothing else could be checked ({})", faulty.source),
            "mend its settings and check again",
        )])
        .collect()
}

/// Lines on the settings that can.
pub(super) fn check(subjects: &[Subject]) -> Vec<Finding> {
    let mut found: Vec<_> = subjects.iter().map(sound).collect();
    for (at, one) in subjects.iter().enumerate() {
        let shared = subjects[..at]
            .iter()
            .find(|other| other.database == one.database && other.name != one.name);
        if let Some(other) = shared {
            found.push(Finding::failure(
                format!("{} and {} have the same database", other.name, one.name),
                "each service alone owns its database: give each one of its own",
            ));
        }
        found.extend(wiring(one, subjects));
    }
    found
}

fn sound(subject: &Subject) -> Finding {
    let Subject { name, host, .. } = subject;
    let plain = !host.tls.is_on() && !is_local(&host.listen);
    if plain {
        return Finding::warning(
            format!("{name}: speaks plaintext on {}", host.listen),
            "`cleave certs init` makes certificates and says what to configure",
        );
    }
    let how = match (host.tls.is_on(), host.tls.authority.is_empty()) {
        (false, _) => "plaintext on loopback",
        (true, true) => "TLS without identities",
        (true, false) => "mutual TLS",
    };
    Finding::ok(format!(
        "{name}: sound, {how} on {} ({})",
        host.listen, subject.source
    ))
}

/// Whether it looks for its peer where the peer is.
fn wiring(subject: &Subject, all: &[Subject]) -> Option<Finding> {
    let (peer, addresses) = (subject.peer.0, subject.peer.1.as_str());
    let name = subject.name;
    if addresses.is_empty() {
        return Some(Finding::warning(
            format!("{name}: calls no {peer}"),
            format!("give peers.{peer}, unless another process of {name} does it"),
        ));
    }
    let listening: Vec<&str> = all
        .iter()
        .filter(|other| other.name == peer)
        .map(|other| other.host.listen.as_str())
        .collect();
    // A wildcard and a name look alike from here to whatever they resolve to.
    let known = listening.iter().all(|listen| is_exact(listen));
    let missed = !addresses.starts_with("dns:")
        && known
        && listening.iter().any(|listen| !addresses.contains(listen));
    missed.then(|| {
        let listening = listening.join(", ");
        Finding::warning(
            format!("{name}: looks for {peer} at {addresses}, which listens on {listening}"),
            format!("name every replica in peers.{peer}"),
        )
    })
}

fn is_local(listen: &str) -> bool {
    let address = listen.parse::<SocketAddr>();
    address.is_ok_and(|address| address.ip().is_loopback())
}

fn is_exact(listen: &str) -> bool {
    let address = listen.parse::<SocketAddr>();
    address.is_ok_and(|address| !address.ip().is_unspecified())
}
