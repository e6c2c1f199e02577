//! Documents of kinds that clusters learn from others: their schemas are in no validator, so the fields used here are
//! written down. Kinds that nobody knows are refused.

use crate::{Faults, name, pods};
use anyhow::{Context as _, Result};
use cleave_e2e::{Manifests, manifests};
use serde_json::{Value, json};
use std::collections::BTreeSet;

/// Every kind that may be rendered, with its version; the fields of the specification where Kubernetes does not check
/// them.
const KINDS: &[(&str, &str, &[&str])] = &[
    ("v1", "Namespace", &[]),
    ("v1", "ConfigMap", &[]),
    ("v1", "Service", &[]),
    ("apps/v1", "Deployment", &[]),
    ("apps/v1", "StatefulSet", &[]),
    ("batch/v1", "Job", &[]),
    ("policy/v1", "PodDisruptionBudget", &[]),
    ("autoscaling/v2", "HorizontalPodAutoscaler", &[]),
    ("networking.k8s.io/v1", "NetworkPolicy", &[]),
    ("cert-manager.io/v1", "Issuer", &["selfSigned", "ca"]),
    (
        "cert-manager.io/v1",
        "Certificate",
        &[
            "isCA",
            "commonName",
            "secretName",
            "duration",
            "renewBefore",
            "privateKey",
            "uris",
            "usages",
            "issuerRef",
        ],
    ),
    (
        "monitoring.coreos.com/v1",
        "ServiceMonitor",
        &["selector", "endpoints"],
    ),
    ("monitoring.coreos.com/v1", "PrometheusRule", &["groups"]),
];

pub(crate) fn check(manifests: &Manifests, faults: &mut Faults) {
    for document in manifests.documents() {
        let which = name(document);
        let (version, kind) = (&document["apiVersion"], &document["kind"]);
        let Some((_, kind, fields)) = KINDS.iter().find(|one| *version == one.0 && *kind == one.1)
        else {
            faults.unless(false, || {
                format!("{which}: there is no {kind} in {version}")
            });
            continue;
        };
        if *kind != "Namespace" {
            let there = document["metadata"]["namespace"] == "cleave";
            faults.unless(there, || format!("{which} is in no namespace of ours"));
        }
        if !fields.is_empty() {
            let given: BTreeSet<_> = document["spec"]
                .as_object()
                .into_iter()
                .flatten()
                .map(|(key, _)| key.as_str())
                .collect();
            let strange: Vec<_> = given.iter().filter(|key| !fields.contains(key)).collect();
            faults.unless(strange.is_empty() && !given.is_empty(), || {
                format!("{which}: {strange:?}")
            });
        }
    }
    check_scraping(manifests, faults);
}

/// What is scraped is a port of every Service, and every replica is behind one.
fn check_scraping(manifests: &Manifests, faults: &mut Faults) {
    let Ok(monitor) = manifests.find("ServiceMonitor", "cleave") else {
        return;
    };
    let wanted = &monitor["spec"]["selector"]["matchLabels"];
    let of_ours = manifests
        .of_kind("Service")
        .filter(|one| crate::scaling::selects(wanted, &one["metadata"]["labels"]));
    let services = of_ours.count();
    let workloads = pods(manifests)
        .filter(|(document, _)| document["kind"] != "Job")
        .count();
    faults.unless(services == workloads, || {
        format!("{services} of {workloads} services are scraped")
    });
    let endpoint = &monitor["spec"]["endpoints"][0];
    let right = endpoint["port"] == "admin" && endpoint["path"] == "/metrics";
    faults.unless(right, || format!("scraped at {endpoint}"));
}

#[test]
fn given_the_scraping_of_prometheus_then_its_operator_keeps_the_same_series() -> Result<()> {
    let read = |path: &str| -> Result<Value> {
        let text = std::fs::read_to_string(manifests::folder().join(path))?;
        Ok(yaml_serde::from_str(&text)?)
    };
    let (plain, operator) = (
        read("../monitoring/prometheus.yaml")?,
        read("components/monitoring/scrape.yaml")?,
    );
    let dropped = |rules: &Value| -> Vec<(Value, Value)> {
        let all = rules.as_array().into_iter().flatten();
        all.map(|rule| (rule["regex"].clone(), rule["action"].clone()))
            .collect()
    };
    let wanted = dropped(&operator["spec"]["endpoints"][0]["metricRelabelings"]);
    let jobs = plain["scrape_configs"].as_array().context("jobs")?;

    assert!(!wanted.is_empty());
    for job in jobs {
        assert_eq!(dropped(&job["metric_relabel_configs"]), wanted, "{job}");
    }
    Ok(())
}

#[test]
fn given_the_rules_of_prometheus_then_its_operator_is_given_the_same() -> Result<()> {
    let read = |path: &str| -> Result<Value> {
        let text = std::fs::read_to_string(manifests::folder().join(path))?;
        let mut found = Manifests::parse(&text)?.documents().to_vec();
        found.pop().context("a document")
    };
    let (plain, wrapped) = (
        read("../monitoring/rules.yaml")?,
        read("components/monitoring/rules.yaml")?,
    );

    assert_eq!(
        wrapped["spec"], plain,
        "run deploy/kubernetes/components/monitoring/wrap-rules"
    );
    assert_ne!(plain["groups"], json!([]));
    Ok(())
}
