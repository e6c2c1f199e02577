//! The table of calls, over a network that makes some.

use serde_json::Value;
use tempfile::TempDir;

use crate::network::{CLEAVE, Network};

#[tokio::test]
async fn calls_are_counted_once_by_each_end() {
    // Given a network that has loaded its sample
    let dir = TempDir::new().expect("a directory");
    let network = Network::up(dir.path(), &[]).await;
    let stat = |arguments: &[&str]| {
        let mut command = tokio::process::Command::new(CLEAVE);
        command.arg("stat").args(arguments);
        command.args(["--ready-file", network.ready_file()]);
        async move { command.output().await.expect("the binary runs") }
    };

    // When everything since its start is shown
    let output = stat(&["--total", "--json"]).await;
    assert!(output.status.success());
    let figures: Value = serde_json::from_slice(&output.stdout).expect("JSON");

    // Then both ends of an edge agree, although both services share one process and its metrics
    let calls = figures["calls"].as_array().expect("calls");
    assert!(calls.iter().all(|one| one["caller"] != "*"), "{calls:?}");
    let seen = |by: &str, caller: &str| {
        let mut found = calls.iter().filter(|one| {
            one["method"] == "cleave.billing.v1.ReservationService/ReserveBudget"
                && one["seen_by"] == by
        });
        let one = found.next().expect("seen").clone();
        assert!(found.next().is_none(), "{calls:?}");
        assert_eq!(
            (&one["caller"], &one["callee"]),
            (&caller.into(), &"billing".into())
        );
        one
    };
    let (here, there) = (seen("caller", "operations"), seen("callee", "operations"));
    assert!(here["calls"].as_f64() >= Some(1.0) && there["calls"].as_f64() >= Some(1.0));
    let quantile = |one: &Value, name: &str| one[name].as_f64().expect("a number");
    for one in [&here, &there] {
        assert!(
            quantile(one, "p50_seconds") <= quantile(one, "p99_seconds"),
            "{one}"
        );
        assert!((0.0..=1.0).contains(&quantile(one, "success")), "{one}");
    }
    let replicas = figures["replicas"].as_array().expect("replicas");
    assert_eq!(replicas.len(), 2, "{replicas:?}");
    assert_eq!(figures["services"].as_array().map(Vec::len), Some(2));

    // And all of it, like a moment of it, is a table
    let all = stat(&["--total", "--method", "ReserveBudget"]).await;
    let text = String::from_utf8_lossy(&all.stdout).into_owned();
    for end in ["caller", "callee"] {
        let row = |line: &&str| line.contains("operations → billing") && line.contains(end);
        assert!(text.lines().any(|line| row(&line)), "{end}: {text}");
    }
    let shown = stat(&["--once", "--interval", "300ms"]).await;
    let text = String::from_utf8_lossy(&shown.stdout).into_owned();
    assert!(
        shown.status.success() && text.contains("operations ready"),
        "{text}"
    );
    assert!(
        text.contains("operations → billing") && text.contains("Latency"),
        "{text}"
    );
}

#[tokio::test]
async fn nobody_there_is_told() {
    let output = tokio::process::Command::new(CLEAVE)
        .args(["stat", "--once", "--interval", "100ms", "127.0.0.1:1"])
        .output()
        .await
        .expect("the binary runs");
    assert_eq!(output.status.code(), Some(1));
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(text.contains("× http://127.0.0.1:1/mesh"), "{text}");
}
