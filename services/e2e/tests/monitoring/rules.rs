//! The rules in themselves.

use crate::files::{self, alerts};
use crate::prometheus::{find, promtool};
use anyhow::{Context as _, Result};
use cleave_contracts::POLICIES;

#[test]
fn the_rules_are_right_and_every_alert_fires_when_it_should() -> Result<()> {
    let Some(folder) = find("the rules and their tests") else {
        return Ok(());
    };
    let file = |name: &str| files::path(name).display().to_string();
    promtool(&folder, &["check", "rules", &file("monitoring/rules.yaml")])?;
    promtool(
        &folder,
        &["check", "config", &file("monitoring/prometheus.yaml")],
    )?;
    promtool(
        &folder,
        &["test", "rules", &file("monitoring/rules_test.yaml")],
    )
}

#[test]
fn every_alert_says_what_it_is_about_and_is_tested() -> Result<()> {
    let tests = files::text("monitoring/rules_test.yaml")?;
    for alert in alerts()? {
        let name = &alert.name;
        assert!(
            ["page", "ticket"].contains(&&*alert.severity),
            "{name}: {}",
            alert.severity
        );
        let of = |key: &str| {
            let found = alert.annotations.iter().find(|(known, _)| known == key);
            found.map(|(_, text)| text.as_str()).unwrap_or_default()
        };
        assert!(
            !of("summary").is_empty() && !of("description").is_empty(),
            "{name}"
        );
        let page = format!("deploy/RUNBOOK.md#{}", name.to_lowercase());
        assert_eq!(of("runbook_url"), page, "{name}");
        assert!(
            tests.contains(&format!("alertname=\"{name}\"")),
            "{name} has no test"
        );
    }
    Ok(())
}

/// Streams last, so neither their number nor their time tells how well calls are answered.
#[test]
fn the_objectives_leave_out_streams_and_nothing_else() -> Result<()> {
    let rules = files::text("monitoring/rules.yaml")?;
    let (_, rest) = rules
        .split_once("grpc_method!~\".*/(")
        .context("left out")?;
    let (left_out, _) = rest.split_once(')').context("left out")?;
    let left_out = |name: &str| {
        left_out.split('|').any(|one| match one.strip_suffix(".*") {
            Some(beginning) => name.starts_with(beginning),
            None => name == one,
        })
    };
    for method in POLICIES.iter() {
        let name = method.path.rsplit('/').next().unwrap_or_default();
        assert_eq!(left_out(name), !method.is_unary(), "{}", method.path);
    }
    Ok(())
}
