//! Every alert has its page in the runbook, and every page its alert.

use crate::files::{alerts, text};
use anyhow::{Context as _, Result};
use std::collections::BTreeSet;

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
