//! What `deploy` says.

use anyhow::{Context as _, Result};
use std::path::PathBuf;
use yaml_serde::Value;

/// Where this repository is.
const ROOT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../..");

/// A query of the dashboard or the rules, and where it stands.
#[derive(Debug, Clone)]
pub(crate) struct Query {
    pub(crate) place: String,
    pub(crate) text: String,
    /// Labels that the text around it shows.
    pub(crate) shown: Vec<String>,
}

/// An alert.
#[derive(Debug, Clone)]
pub(crate) struct Alert {
    pub(crate) name: String,
    pub(crate) severity: String,
    pub(crate) annotations: Vec<(String, String)>,
}

pub(crate) fn path(name: &str) -> PathBuf {
    PathBuf::from(ROOT).join("deploy").join(name)
}

pub(crate) fn text(name: &str) -> Result<String> {
    std::fs::read_to_string(path(name)).with_context(|| name.to_owned())
}

pub(crate) fn yaml(name: &str) -> Result<Value> {
    yaml_serde::from_str(&text(name)?).with_context(|| name.to_owned())
}

/// Every rule of rules.yaml.
fn rules() -> Result<Vec<Value>> {
    let file = yaml("monitoring/rules.yaml")?;
    let groups = file["groups"].as_sequence().context("groups")?;
    let rules = groups
        .iter()
        .filter_map(|group| group["rules"].as_sequence());
    Ok(rules.flatten().cloned().collect())
}

fn string(value: &Value) -> Option<String> {
    value.as_str().map(str::to_owned)
}

/// The names that rules record under.
pub(crate) fn recorded() -> Result<Vec<String>> {
    let rules = rules()?;
    Ok(rules
        .iter()
        .filter_map(|rule| string(&rule["record"]))
        .collect())
}

pub(crate) fn alerts() -> Result<Vec<Alert>> {
    let alerts = rules()?.into_iter().filter_map(|rule| {
        let annotations = rule["annotations"].as_mapping().cloned();
        let annotations = annotations.unwrap_or_default().into_iter();
        Some(Alert {
            name: string(&rule["alert"])?,
            severity: string(&rule["labels"]["severity"]).unwrap_or_default(),
            annotations: annotations
                .filter_map(|(key, value)| Some((string(&key)?, string(&value)?)))
                .collect(),
        })
    });
    Ok(alerts.collect())
}

/// The queries of the rules.
pub(crate) fn rule_queries() -> Result<Vec<Query>> {
    let queries = rules()?.into_iter().filter_map(|rule| {
        let place = string(&rule["alert"]).or_else(|| string(&rule["record"]))?;
        let annotations = rule["annotations"].as_mapping().cloned();
        let annotations = annotations.unwrap_or_default().into_iter();
        let shown = annotations.filter_map(|(_, value)| string(&value));
        Some(Query {
            place,
            text: string(&rule["expr"])?,
            shown: shown
                .flat_map(|text| labels_in(&text, "$labels."))
                .collect(),
        })
    });
    Ok(queries.collect())
}

/// The queries of the dashboard, with its variables filled in.
pub(crate) fn dashboard_queries() -> Result<Vec<Query>> {
    let dashboard: serde_json::Value =
        serde_json::from_str(&text("monitoring/dashboard.json")?).context("dashboard.json")?;
    let panels = dashboard["panels"].as_array().context("panels")?;
    let mut queries = Vec::new();
    for panel in panels {
        let title = panel["title"].as_str().context("title")?;
        for target in panel["targets"].as_array().into_iter().flatten() {
            let text = target["expr"].as_str().context("expr")?;
            let legend = target["legendFormat"].as_str().context("legendFormat")?;
            queries.push(Query {
                place: format!("{title} ({})", target["refId"].as_str().unwrap_or_default()),
                text: text.replace("$__rate_interval", "1m").replace("$job", ".*"),
                shown: labels_in(legend, "{{"),
            });
        }
    }
    Ok(queries)
}

/// The labels that a template names after `mark`.
fn labels_in(template: &str, mark: &str) -> Vec<String> {
    let after = template.split(mark).skip(1);
    after
        .map(|rest| {
            let name = rest.chars();
            name.take_while(|c| c.is_ascii_alphanumeric() || *c == '_')
                .collect()
        })
        .collect()
}
