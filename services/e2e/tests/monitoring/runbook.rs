//! Every alert has its page in the runbook, and every page its alert; panels and metrics that are named are there.

use crate::files::{alerts, path, recorded, text};
use anyhow::{Context as _, Result};
use std::collections::BTreeSet;
use std::path::Path;

/// What a page names in Prometheus itself.
const PAGE_OF_PROMETHEUS: &str = "Targets";
/// How names of metrics begin.
const BEGINNINGS: [&str; 7] = [
    "cleave_",
    "storage_",
    "billing_",
    "operations_",
    "grpc_server_",
    "grpc_client_",
    "job:",
];
/// Where metrics are named in the code.
const SOURCES: [&str; 5] = [
    "clients/mesh/src",
    "services/host/src",
    "services/storage/src",
    "services/operations",
    "services/billing",
];

#[test]
fn every_alert_has_a_page_and_every_page_an_alert() -> Result<()> {
    let runbook = text("RUNBOOK.md")?;
    let (_, pages) = runbook.split_once("\n## Alerts\n").context("## Alerts")?;
    let pages = pages.split("\n## ").next().unwrap_or_default();
    let mut titles = BTreeSet::new();
    for page in pages.split("\n### ").skip(1) {
        let (title, body) = page.split_once('\n').context("a page")?;
        assert!(titles.insert(title.to_owned()), "{title} twice");
        for part in ["**Means.** ", "**Look at.** ", "**Do.** "] {
            assert!(body.contains(part), "{title} lacks {part}");
        }
    }
    let alerts: BTreeSet<String> = alerts()?.into_iter().map(|alert| alert.name).collect();
    assert_eq!(titles, alerts);
    Ok(())
}

/// The text without what stands between backticks, and that.
fn apart(text: &str) -> (String, Vec<&str>) {
    let parts: Vec<&str> = text.split('`').collect();
    let prose = parts.iter().step_by(2).copied();
    let code = parts.iter().skip(1).step_by(2).copied();
    (prose.collect::<Vec<_>>().join(" "), code.collect())
}

/// What is between quotation marks and begins with a capital.
fn quoted(prose: &str) -> Vec<String> {
    let marked = prose.split('"').skip(1).step_by(2);
    let one_line = |text: &str| text.split_whitespace().collect::<Vec<_>>().join(" ");
    marked
        .map(one_line)
        .filter(|text| text.starts_with(|c: char| c.is_ascii_uppercase()))
        .collect()
}

#[test]
fn every_panel_that_a_page_names_is_on_the_dashboard() -> Result<()> {
    let runbook = text("RUNBOOK.md")?;
    let (_, pages) = runbook.split_once("\n## Alerts\n").context("## Alerts")?;
    let dashboard: serde_json::Value = serde_json::from_str(&text("monitoring/dashboard.json")?)?;
    let panels = dashboard["panels"].as_array().context("panels")?;
    let panels: Vec<_> = panels
        .iter()
        .filter_map(|panel| panel["title"].as_str())
        .collect();

    let named = quoted(&apart(pages).0);
    assert!(named.len() > 20, "{named:?}");
    for name in named {
        let heading = runbook.contains(&format!("\n## {name}\n"));
        let known = panels.contains(&&*name) || heading || name == PAGE_OF_PROMETHEUS;
        assert!(known, "there is no panel {name:?}");
    }
    Ok(())
}

/// The words that look like the name of a metric.
fn metrics(code: &str) -> Vec<String> {
    let part = |c: char| c.is_ascii_alphanumeric() || c == '_' || c == ':';
    let words = code.split(|c| !part(c));
    let ours = |word: &&str| {
        BEGINNINGS
            .iter()
            .any(|beginning| word.starts_with(beginning))
    };
    words
        .filter(ours)
        .filter(|word| !word.ends_with('_'))
        .map(str::to_owned)
        .collect()
}

/// Adds the string literals of a folder of sources that may name a metric, with `_` for `.`.
fn literals(folder: &Path, found: &mut BTreeSet<String>) -> Result<()> {
    for entry in std::fs::read_dir(folder)? {
        let path = entry?.path();
        if path.is_dir() {
            literals(&path, found)?;
        } else if path.extension().is_some_and(|ending| ending == "rs") {
            let text = std::fs::read_to_string(&path)?;
            found.extend(text.split('"').map(|literal| literal.replace('.', "_")));
        }
    }
    Ok(())
}

#[test]
fn every_metric_that_a_document_names_is_one_that_the_code_does() -> Result<()> {
    let mut known: BTreeSet<String> = recorded()?.into_iter().collect();
    for folder in SOURCES {
        literals(&path("..").join(folder), &mut known)?;
    }
    let mut count = 0;
    for document in ["RUNBOOK.md", "SCALING.md", "RELEASES.md", "../README.md"] {
        let document = text(document)?;
        for name in apart(&document).1.into_iter().flat_map(metrics) {
            let series = ["_bucket", "_sum", "_count"].iter();
            let mut metric = series.filter_map(|end| name.strip_suffix(end));
            let metric = metric.next().unwrap_or(&name);
            assert!(known.contains(metric), "nobody exports {name}");
            count += 1;
        }
    }
    assert!(count > 10, "{count} names were found");
    Ok(())
}
