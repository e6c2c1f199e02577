//! How many replicas there are, what keeps enough of them, and what their number follows.

use crate::{Faults, SERVICES};
use anyhow::{Context as _, Result};
use cleave_e2e::{Manifests, manifests};
use cleave_host::command::Program;
use operations::Operations;
use serde_json::{Value, json};

/// Connections that a replica holds beside its pool, to end statements that take too long.
const CONTROLS: u64 = 2;

pub(crate) fn check(manifests: &Manifests, faults: &mut Faults) {
    for (service, _) in SERVICES {
        let Some(workload) = faults.take(manifests.workload(service)) else {
            continue;
        };
        let scaler = manifests.find("HorizontalPodAutoscaler", service).ok();
        let given = &workload["spec"]["replicas"];
        if let Some(scaler) = scaler {
            faults.unless(given.is_null(), || {
                format!("{service}: {given} replicas, and a scaler")
            });
            let target = &scaler["spec"]["scaleTargetRef"];
            let hits = target["kind"] == workload["kind"] && target["name"] == service;
            faults.unless(hits, || format!("{service}: the scaler scales {target}"));
        }
        let replicas = scaler
            .map_or(given, |scaler| &scaler["spec"]["minReplicas"])
            .as_u64();
        faults.unless(replicas.is_some(), || {
            format!("{service}: no number of replicas")
        });
        let Some(budget) = faults.take(manifests.find("PodDisruptionBudget", service)) else {
            continue;
        };
        let taken = movable(&budget["spec"], replicas.unwrap_or_default());
        faults.unless(taken > 0, || {
            format!("{service}: no node of it can ever be drained")
        });
        let all = replicas.unwrap_or_default();
        faults.unless(taken < all || all == 1, || {
            format!("{service}: a drain may take all {all}")
        });
        check_selectors(manifests, service, workload, budget, faults);
    }
}

/// How many replicas a drain may take at one time.
pub(crate) fn movable(budget: &Value, replicas: u64) -> u64 {
    match (
        budget["maxUnavailable"].as_u64(),
        budget["minAvailable"].as_u64(),
    ) {
        (Some(most), None) => most.min(replicas),
        (None, Some(least)) => replicas.saturating_sub(least),
        _ => 0,
    }
}

/// What speaks of the replicas means them all, and nothing else.
fn check_selectors(
    manifests: &Manifests,
    service: &str,
    workload: &Value,
    budget: &Value,
    faults: &mut Faults,
) {
    let labels = &workload["spec"]["template"]["metadata"]["labels"];
    let jobs: Vec<_> = manifests
        .of_kind("Job")
        .map(|job| &job["spec"]["template"]["metadata"]["labels"])
        .collect();
    let named = manifests
        .find("Service", service)
        .map(|one| &one["spec"]["selector"]);
    let Some(named) = faults.take(named) else {
        return;
    };
    for (what, selector) in [
        ("the workload", &workload["spec"]["selector"]["matchLabels"]),
        ("the budget", &budget["spec"]["selector"]["matchLabels"]),
        ("the Service", named),
    ] {
        faults.unless(selects(selector, labels), || {
            format!("{service}: {what} does not mean its pods")
        });
        let astray = jobs.iter().any(|labels| selects(selector, labels));
        faults.unless(!astray, || {
            format!("{service}: {what} means a migration too")
        });
    }
}

/// Whether a selector means what has these labels.
pub(crate) fn selects(selector: &Value, labels: &Value) -> bool {
    let wanted = selector.as_object();
    wanted.is_some_and(|wanted| {
        !wanted.is_empty() && wanted.iter().all(|(key, value)| labels[key] == *value)
    })
}

/// What the rule of the adapter, which stands in a comment, asks Prometheus for.
pub(crate) fn counted() -> Result<String> {
    let text = std::fs::read_to_string(manifests::folder().join("overlays/postgres/scaling.yaml"))?;
    let (_, rest) = text.split_once("seriesQuery: '").context("a rule")?;
    let (series, _) = rest.split_once('{').context("its labels")?;
    anyhow::ensure!(
        text.contains(&format!("avg_over_time({series}{{<<.LabelMatchers>>}}")),
        "the rule looks for {series} and sums something else"
    );
    Ok(series.to_owned())
}

#[test]
fn given_the_rule_of_the_adapter_then_scalers_ask_for_what_it_names() -> Result<()> {
    let file = manifests::folder().join("overlays/postgres/scaling.yaml");
    let text = std::fs::read_to_string(file)?;
    let rule = text.lines().filter_map(|line| line.strip_prefix("# "));
    let named = rule
        .filter_map(|line| line.trim().strip_prefix("name: { as: "))
        .next();
    let named = named
        .and_then(|rest| rest.split(' ').next())
        .context("the rule names a metric")?;
    let scalers = Manifests::parse(&text)?;

    for scaler in scalers.documents() {
        let metric = &scaler["spec"]["metrics"][0]["pods"]["metric"]["name"];
        assert_eq!(*metric, json!(named));
    }
    assert_eq!(scalers.documents().len(), 2);
    Ok(())
}

#[test]
fn given_the_most_replicas_then_the_connections_that_people_plan_by_are_theirs() -> Result<()> {
    let read = |name: &str| std::fs::read_to_string(manifests::folder().join(name));
    let (overlay, guide) = (
        read("overlays/postgres/scaling.yaml")?,
        read("../SCALING.md")?,
    );
    let settings = Operations::loader().load::<<Operations as Program>::Settings>()?;
    let connections = u64::from(settings.database.connections);
    let scalers = Manifests::parse(&overlay)?;
    let most = scalers.documents().iter();
    let most: Vec<_> = most
        .map(|scaler| scaler["spec"]["maxReplicas"].as_u64())
        .collect();

    let [Some(replicas), other] = *most else {
        anyhow::bail!("not two scalers: {most:?}");
    };
    assert_eq!(other, Some(replicas));
    let one = (connections + CONTROLS) * replicas;
    let of_one = format!("({connections} + {CONTROLS}) x {replicas} = {one}");
    for (name, text) in [("scaling.yaml", &overlay), ("SCALING.md", &guide)] {
        assert!(text.contains(&of_one), "{name} does not say {of_one}");
    }
    let of_both = format!("2 x {one} = {}", 2 * one);
    assert!(
        guide.contains(&of_both),
        "SCALING.md does not say {of_both}"
    );
    Ok(())
}
