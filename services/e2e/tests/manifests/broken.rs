//! Each check finds what it is for: a rendering is broken in one place, and the fault is named.

use crate::check;
use anyhow::{Context as _, Result};
use cleave_e2e::Manifests;
use serde_json::{Value, json};

const CONTAINER: &str = "/spec/template/spec/containers/0";

/// Document, place in it, what is put there (null removes it), a part of the fault.
type Case = (&'static str, &'static str, String, Value, &'static str);

fn cases() -> Vec<Case> {
    let of = |place: &str| format!("{CONTAINER}{place}");
    let spec = |place: &str| format!("/spec{place}");
    let pod = |place: &str| format!("/spec/template/spec{place}");
    let operations = |place, value, fault| ("Deployment", "operations", place, value, fault);
    vec![
        operations(of("/ports/0/containerPort"), json!(50_052), "port grpc"),
        operations(
            of("/readinessProbe/grpc/service"),
            json!("cleave"),
            "the readinessProbe asks",
        ),
        operations(
            of("/livenessProbe/grpc/service"),
            Value::Null,
            "the livenessProbe asks",
        ),
        operations(
            of("/startupProbe/grpc/port"),
            json!(50_051),
            "not the admin port",
        ),
        operations(
            of("/readinessProbe/periodSeconds"),
            json!(2),
            "may be 4s old",
        ),
        operations(
            of("/readinessProbe/failureThreshold"),
            json!(3),
            "only after 3",
        ),
        operations(
            of("/env/0/name"),
            json!("OPERATIONS_DATABASE_URL"),
            "read by nobody",
        ),
        operations(
            of("/env/0/name"),
            json!("OPERATIONS__DATABASE__URI"),
            "did you mean url?",
        ),
        operations(of("/args/1"), json!("--configuration"), "does not take"),
        operations(
            of("/args/2"),
            json!("/etc/cleave.toml"),
            "nothing is mounted at",
        ),
        operations(
            of("/image"),
            json!("cleave/operations:latest"),
            "the image is",
        ),
        operations(
            of("/securityContext/capabilities/drop"),
            json!(["NET_RAW"]),
            "capabilities.drop",
        ),
        operations(
            of("/securityContext/readOnlyRootFilesystem"),
            Value::Null,
            "readOnlyRootFilesystem",
        ),
        operations(
            of("/resources/requests/cpu"),
            Value::Null,
            "no /resources/requests/cpu",
        ),
        operations(
            of("/volumeMounts/1/mountPath"),
            json!("/etc/tls"),
            "is not tls.crt of operations-tls",
        ),
        operations(pod("/terminationGracePeriodSeconds"), json!(28), "of grace"),
        operations(
            pod("/securityContext/runAsUser"),
            json!(0),
            "runAsUser is 0",
        ),
        operations(
            pod("/automountServiceAccountToken"),
            Value::Null,
            "automountServiceAccountToken",
        ),
        operations(
            pod("/initContainers/0/args"),
            json!(["migrate"]),
            "the first container does",
        ),
        operations(spec("/replicas"), json!(3), "and a scaler"),
        operations(
            spec("/strategy/rollingUpdate/maxUnavailable"),
            json!(1),
            "takes 1 away",
        ),
        (
            "ConfigMap",
            "operations",
            "/data/config.toml".to_owned(),
            json!("[host]\nlame_duk = \"1s\""),
            "did you mean lame_duck?",
        ),
        (
            "ConfigMap",
            "billing",
            "/data/config.toml".to_owned(),
            json!("[host]\nworkers = 2"),
            "billing calls 127.0.0.1:50051",
        ),
        operations(
            of("/env/0"),
            json!({"name": "OPERATIONS__HOST__LISTEN", "value": "127.0.0.1:50051"}),
            "where no other pod gets",
        ),
        (
            "Job",
            "billing-migrate",
            "/metadata/name".to_owned(),
            json!("billing-migrate"),
            "is not called",
        ),
        (
            "Job",
            "billing-migrate",
            of("/args"),
            json!(["serve"]),
            "does [\"serve\"]",
        ),
        (
            "PodDisruptionBudget",
            "billing",
            spec("/maxUnavailable"),
            json!(3),
            "may take all 3",
        ),
        (
            "PodDisruptionBudget",
            "billing",
            spec("/maxUnavailable"),
            json!(0),
            "can ever be drained",
        ),
        (
            "HorizontalPodAutoscaler",
            "billing",
            spec("/scaleTargetRef/kind"),
            json!("StatefulSet"),
            "the scaler scales",
        ),
        (
            "Service",
            "billing",
            spec("/clusterIP"),
            Value::Null,
            "one address",
        ),
        (
            "Service",
            "billing",
            spec("/ports/0/port"),
            json!(50_051),
            "no port grpc at 50052",
        ),
        (
            "Service",
            "billing",
            spec("/selector/app.kubernetes.io~1component"),
            Value::Null,
            "means a migration too",
        ),
        (
            "NetworkPolicy",
            "billing",
            spec("/ingress/0/from/1"),
            json!({"podSelector": {}}),
            "its contracts",
        ),
        (
            "NetworkPolicy",
            "billing",
            spec("/ingress/1/from/1"),
            json!({"podSelector": {}}),
            "Prometheus alone",
        ),
        (
            "NetworkPolicy",
            "billing",
            spec("/ingress/1/from/0"),
            json!({"podSelector": {}}),
            "Prometheus alone",
        ),
        (
            "NetworkPolicy",
            "billing",
            spec("/ingress/1/from/0/namespaceSelector"),
            json!({}),
            "Prometheus alone",
        ),
        operations(
            of("/env/0"),
            json!({"name": "OPERATIONS__TELEMETRY__OTLP__ENDPOINT", "value": "http://collector:4317"}),
            "no way out to the collector",
        ),
        (
            "NetworkPolicy",
            "billing",
            spec("/egress/1/ports/0/port"),
            json!(50_052),
            "no way out to port 50051",
        ),
        (
            "NetworkPolicy",
            "billing",
            spec("/policyTypes"),
            json!(["Ingress"]),
            "not both ways",
        ),
        (
            "Certificate",
            "billing-tls",
            spec("/uris/0"),
            json!("spiffe://cleave.local/bill"),
            "billing-tls names",
        ),
        (
            "Certificate",
            "cleave-tls",
            spec("/uris/0"),
            json!("spiffe://cleave.local/tool"),
            "contracts for",
        ),
        (
            "Certificate",
            "billing-tls",
            spec("/secretName"),
            json!("billing"),
            "nobody makes billing-tls",
        ),
        (
            "Certificate",
            "billing-tls",
            spec("/uri"),
            json!([]),
            "[\"uri\"]",
        ),
        (
            "ServiceMonitor",
            "cleave",
            spec("/endpoints/0/port"),
            json!("grpc"),
            "scraped at",
        ),
        (
            "Issuer",
            "cleave-self",
            "/apiVersion".to_owned(),
            json!("certmanager.io/v1"),
            "there is no",
        ),
    ]
}

/// Puts a value at a place, or takes away what is there.
fn change(document: &mut Value, place: &str, value: Value) -> Result<()> {
    let (parent, key) = place.rsplit_once('/').context("a place")?;
    let parent = document
        .pointer_mut(parent)
        .with_context(|| format!("there is no {parent}"))?;
    let key = key.replace("~1", "/");
    match (parent, value) {
        (Value::Object(map), Value::Null) => {
            drop(map.remove(&key).with_context(|| format!("no {key}"))?)
        }
        (Value::Object(map), value) => drop(map.insert(key, value)),
        (Value::Array(list), value) => {
            let index: usize = key.parse()?;
            list.truncate(list.len().max(index));
            match list.get_mut(index) {
                Some(slot) => *slot = value,
                None => list.push(value),
            }
        }
        _ => anyhow::bail!("nothing can be put at {place}"),
    }
    Ok(())
}

#[test]
fn given_manifests_that_are_broken_in_one_place_when_checked_then_the_fault_is_named() -> Result<()>
{
    let Some(manifests) = Manifests::render("postgres", &["cert-manager", "monitoring"])? else {
        return Ok(());
    };
    let mut missed = Vec::new();
    for (kind, named, place, value, fault) in cases() {
        let mut broken = manifests.clone();
        let mut all = broken.documents_mut().iter_mut();
        // Some names end in a hash of the content, or in the release.
        let of_name = |one: &Value| {
            one["metadata"]["name"]
                .as_str()
                .is_some_and(|name| name.starts_with(named))
        };
        let document = all.find(|one| one["kind"] == kind && of_name(one));
        let document = document.with_context(|| format!("there is no {kind} {named}"))?;
        change(document, &place, value.clone())?;
        let faults = check(&broken);
        if !faults.iter().any(|found| found.contains(fault)) {
            missed.push(format!(
                "{kind} {named}{place} = {value}: {faults:?} says nothing of {fault:?}"
            ));
        }
    }
    assert!(missed.is_empty(), "{missed:#?}");
    Ok(())
}
