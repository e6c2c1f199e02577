//! The check of a network that is well, of one that is not, and of none.

use std::path::Path;
use std::process::Output;

use serde_json::Value;
use tempfile::TempDir;

use crate::network::{CLEAVE, Network};

async fn check(arguments: &[&str], dir: &Path) -> Output {
    tokio::process::Command::new(CLEAVE)
        .arg("check")
        .args(arguments)
        .current_dir(dir)
        .output()
        .await
        .expect("the binary runs")
}

/// The lines of a section, each as its level and its text.
fn section(output: &Output, name: &str) -> Vec<(String, String)> {
    let report: Value = serde_json::from_slice(&output.stdout).expect("JSON");
    let sections = report["sections"].as_array().expect("sections");
    let found = sections.iter().filter(|section| section["name"] == name);
    let findings = found.flat_map(|section| section["findings"].as_array().expect("findings"));
    let text = |value: &Value| value.as_str().expect("text").to_owned();
    findings
        .map(|finding| (text(&finding["level"]), text(&finding["text"])))
        .collect()
}

fn has(lines: &[(String, String)], level: &str, part: &str) -> bool {
    lines
        .iter()
        .any(|(found, text)| found == level && text.contains(part))
}

#[tokio::test]
async fn a_network_that_is_well_passes() {
    let dir = TempDir::new().expect("a directory");
    let network = Network::up(dir.path(), &["--empty"]).await;
    let data = dir.path().join("data").display().to_string();
    let given = ["--ready-file", network.ready_file(), "--data-dir", &data];

    let shown = check(
        &[&given[..], &["--wait", "20s", "--strict"]].concat(),
        dir.path(),
    )
    .await;
    let text = String::from_utf8_lossy(&shown.stdout).into_owned();
    assert_eq!(shown.status.code(), Some(0), "{text}");
    for part in [
        "configuration\n-------------",
        "√ billing: sqlite://",
        "√ operations: serves calls on",
        "√ operations → billing: ",
        ": the same contract",
        "√ billing: its clock agrees with the one here",
        "√ everything is as it should be",
    ] {
        assert!(text.contains(part), "{part} is not in:\n{text}");
    }

    let json = check(&[&given[..], &["--output", "json"]].concat(), dir.path()).await;
    let tasks = section(&json, "tasks");
    assert!(has(&tasks, "ok", "expiry"), "{tasks:?}");
}

#[tokio::test]
async fn what_cannot_be_reached_is_a_line_and_a_failure() {
    // Given nothing at all
    let dir = TempDir::new().expect("a directory");
    let ready = dir.path().join("ready.json");
    let nobody = r#"{"operations":"127.0.0.1:1","billing":"127.0.0.1:1","admin":{"operations":"127.0.0.1:1","billing":"127.0.0.1:1"}}"#;
    std::fs::write(&ready, nobody).expect("written");
    let ready = ready.display().to_string();

    let output = check(&["--ready-file", &ready, "--output", "json"], dir.path()).await;

    assert_eq!(output.status.code(), Some(1));
    let databases = section(&output, "database");
    assert!(
        has(&databases, "failure", "there is no file"),
        "{databases:?}"
    );
    let peers = section(&output, "peers");
    assert!(
        has(&peers, "failure", "billing: its admin port does not answer"),
        "{peers:?}"
    );
    assert!(
        has(&peers, "failure", "operations: cannot be called"),
        "{peers:?}"
    );
    assert!(
        !dir.path().join("cleave-data").exists(),
        "a check makes nothing"
    );
}

#[tokio::test]
async fn faults_in_settings_are_told_with_their_mend() {
    let dir = TempDir::new().expect("a directory");
    let config = "[host]\nlisten = \"0.0.0.0:50052\"\nworkers = 5000\nnonsense = 1\n";
    std::fs::write(dir.path().join("billing.toml"), config).expect("written");

    let output = check(&["--billing-config", "billing.toml"], dir.path()).await;

    assert_eq!(output.status.code(), Some(1));
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    for part in [
        "host.listen",
        "host.workers",
        "nonsense",
        "billing.toml",
        "hint: ",
    ] {
        assert!(text.contains(part), "{part} is not in:\n{text}");
    }
}

#[tokio::test]
async fn certificates_are_judged_by_what_they_say_and_how_long() {
    // Given a Billing with the certificate of Operations, which ends within the hour
    let dir = TempDir::new().expect("a directory");
    let made = tokio::process::Command::new(CLEAVE)
        .args(["certs", "init", "--lifetime", "1h", "certs"])
        .current_dir(dir.path())
        .status()
        .await;
    assert!(made.expect("runs").success());
    let config = "[host.tls]\ncertificate = \"certs/operations/tls.crt\"\nkey = \"certs/operations/tls.key\"\n\
                  authority = \"certs/ca.crt\"\n[host]\nlisten = \"127.0.0.1:1\"\nadmin = \"127.0.0.1:1\"\n";
    std::fs::write(dir.path().join("billing.toml"), config).expect("written");
    let ask = ["--billing-config", "billing.toml", "--output", "json"];

    let found = section(&check(&ask, dir.path()).await, "certificates");
    assert!(
        has(&found, "failure", "is for spiffe://cleave.local/operations"),
        "{found:?}"
    );
    assert!(has(&found, "warning", " min, until "), "{found:?}");
    assert!(has(&found, "ok", "key and certificate fit"), "{found:?}");

    // When the key is another one's and the authority a stranger, then both are told
    let other = dir.path().join("certs/billing/tls.key");
    std::fs::copy(other, dir.path().join("certs/operations/tls.key")).expect("copied");
    let found = section(&check(&ask, dir.path()).await, "certificates");
    assert!(
        has(&found, "failure", "the files cannot be used"),
        "{found:?}"
    );
}
