//! The manifests of `deploy/kubernetes`, as kustomize renders them, held against the code: what they say of ports,
//! keys, names, times, callers and certificates is what the services do.
//!
//! Whether each document is one that Kubernetes takes is for `deploy/test manifests` to say, by the schemas.

mod broken;
mod custom;
mod identity;
mod network;
mod own;
mod pods;
mod probes;
mod rollout;
mod scaling;
mod settings;
mod tools;
mod variables;

use anyhow::Result;
use cleave_e2e::Manifests;
use serde_json::Value;

/// What can be applied, as people will.
const OVERLAYS: [&str; 3] = ["embedded", "postgres", "mysql"];
const COMPONENTS: [&[&str]; 5] = [
    &[],
    &["mtls"],
    &["cert-manager", "monitoring"],
    &["cert-manager", "authorities"],
    &["traces"],
];
/// Both services, each with its peer.
const SERVICES: [(&str, &str); 2] = [("operations", "billing"), ("billing", "operations")];

/// What is wrong with a rendering.
#[derive(Debug, Default)]
struct Faults(Vec<String>);

impl Faults {
    /// Takes note of `what` unless `holds`.
    fn unless(&mut self, holds: bool, what: impl FnOnce() -> String) {
        if !holds {
            self.0.push(what());
        }
    }

    /// Hands out the value, or takes note that there is none.
    fn take<T>(&mut self, found: Result<T>) -> Option<T> {
        found
            .map_err(|error| self.0.push(format!("{error:#}")))
            .ok()
    }
}

/// Everything that can be said without a process.
fn check(manifests: &Manifests) -> Vec<String> {
    let mut faults = Faults::default();
    pods::check(manifests, &mut faults);
    settings::check(manifests, &mut faults);
    rollout::check(manifests, &mut faults);
    scaling::check(manifests, &mut faults);
    network::check(manifests, &mut faults);
    identity::check(manifests, &mut faults);
    custom::check(manifests, &mut faults);
    faults.0
}

/// The pods that a document asks for: what keeps replicas running, and Jobs.
fn pods(manifests: &Manifests) -> impl Iterator<Item = (&Value, &Value)> {
    let kinds = ["Deployment", "StatefulSet", "Job"];
    let documents = manifests.documents().iter();
    documents
        .filter(move |document| kinds.iter().any(|kind| document["kind"] == *kind))
        .map(|document| (document, &document["spec"]["template"]))
}

/// The containers of a pod, those of its beginning first.
fn containers(pod: &Value) -> impl Iterator<Item = &Value> {
    let of = |key: &str| pod["spec"][key].as_array().into_iter().flatten();
    of("initContainers").chain(of("containers"))
}

/// What a document is called, for a fault.
fn name(document: &Value) -> String {
    let text = |value: &Value| value.as_str().unwrap_or("?").to_owned();
    format!(
        "{} {}",
        text(&document["kind"]),
        text(&document["metadata"]["name"])
    )
}

/// The service that a document belongs to, by its label.
fn service(document: &Value) -> &str {
    let label = &document["metadata"]["labels"]["app.kubernetes.io/name"];
    label.as_str().unwrap_or_default()
}

#[test]
fn given_any_overlay_and_components_when_rendered_then_they_fit_the_code() -> Result<()> {
    for overlay in OVERLAYS {
        for components in COMPONENTS {
            let Some(manifests) = Manifests::render(overlay, components)? else {
                return Ok(());
            };
            let faults = check(&manifests);
            assert!(faults.is_empty(), "{overlay} {components:?}: {faults:#?}");
        }
    }
    Ok(())
}
