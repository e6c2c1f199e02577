//! Importing: exact, repeatable in any shape, and strict about bad lines.

use std::path::Path;

use serde_json::Value;
use tempfile::TempDir;

use crate::network::Network;
use crate::report::{Line, Sums, cost_micros, lines, map, sums, write};

const COST_PLUS: &str = r#"model = "COST_PLUS", markup_ppm = 1_000_000"#;

async fn import(network: &Network, file: &Path, map: &Path) -> Value {
    let (file, map) = (text(file), text(map));
    network
        .json(&["import", "delivery", &file, "--map", &map])
        .await
}

fn text(path: &Path) -> String {
    path.to_str().expect("the path is UTF-8").to_owned()
}

/// Charged and earned by the campaigns of an advertiser, in a statement that adds up.
async fn charged(network: &Network, source: &str) -> Sums {
    let statement = network.json(&["statement"]).await;
    let campaigns = statement["campaigns"].as_array().expect("a list");
    let advertiser = format!("Advertiser of {source}");
    campaigns
        .iter()
        .filter(|line| line["advertiser"] == *advertiser)
        .map(|line| {
            let micros = |of: &str| line[of].as_i64().expect("an amount");
            let name = line["campaign"].as_str().expect("a name").to_owned();
            (name, (micros("charged_micros"), micros("earned_micros")))
        })
        .collect()
}

async fn assert_verified(network: &Network) {
    let verified = network.json(&["verify"]).await;
    assert_eq!(verified["clean"], true);
}

#[tokio::test]
async fn charges_are_the_exact_sums_of_the_costs() {
    // Given a report whose costs say more than micros can
    let dir = TempDir::new().expect("a directory");
    let network = Network::up(dir.path(), &["--empty"]).await;
    let lines = lines(150);
    let file = write(dir.path(), "report.csv", &lines);
    let map = map(dir.path(), "exact", COST_PLUS);

    // When it is imported twice
    let first = import(&network, &file, &map).await;
    let second = import(&network, &file, &map).await;

    // Then each cell is charged, rounded half to even, once
    assert_eq!(first["stored"]["inserted"], 150);
    assert_eq!(first["rated"]["complete"], true);
    assert_eq!(second["stored"]["unchanged"], 150);
    assert_eq!(second["created"]["line_items"], 0);
    assert_eq!(charged(&network, "exact").await, sums(&lines, cost_micros));
    assert_verified(&network).await;
}

#[tokio::test]
async fn parts_in_any_order_come_to_the_same_across_a_crash() {
    // Given a report in seven parts, shuffled
    let dir = TempDir::new().expect("a directory");
    let mut network = Network::up(dir.path(), &["--empty"]).await;
    let mut lines = lines(140);
    let expected = sums(&lines, cost_micros);
    fastrand::Rng::with_seed(1).shuffle(&mut lines);
    let map = map(dir.path(), "parts", COST_PLUS);

    // When both services are killed after the third part, and one part is sent again
    for (number, part) in lines.chunks(20).enumerate() {
        let file = write(dir.path(), &format!("part-{number}.csv"), part);
        import(&network, &file, &map).await;
        if number == 3 {
            network.kill().await;
            network = Network::up(dir.path(), &["--empty"]).await;
            import(&network, &file, &map).await;
        }
    }

    // Then the sums are those of the whole
    assert_eq!(charged(&network, "parts").await, expected);
    assert_verified(&network).await;
}

#[tokio::test]
async fn clicks_and_impressions_are_charged_by_the_formula() {
    let dir = TempDir::new().expect("a directory");
    let network = Network::up(dir.path(), &["--empty"]).await;
    let lines = lines(60);
    let file = write(dir.path(), "report.csv", &lines);
    let by_click = map(dir.path(), "clicks", r#"model = "CPC", rate = "0.333333""#);
    let by_mille = map(dir.path(), "milles", r#"model = "CPM", rate = "1.234567""#);

    import(&network, &file, &by_click).await;
    import(&network, &file, &by_mille).await;

    let clicks = sums(&lines, |line: &Line| line.clicks * 333_333);
    let milles = sums(&lines, |line: &Line| line.impressions * 1_234_567 / 1000);
    assert_eq!(charged(&network, "clicks").await, clicks);
    assert_eq!(charged(&network, "milles").await, milles);
    assert_verified(&network).await;
}

#[tokio::test]
async fn bad_lines_stop_the_import_unless_left_out() {
    // Given a report with two lines that cannot be read
    let dir = TempDir::new().expect("a directory");
    let network = Network::up(dir.path(), &["--empty"]).await;
    let lines = lines(10);
    let file = write(dir.path(), "report.csv", &lines);
    let mut report = std::fs::read_to_string(&file).expect("it was written");
    report.push_str("31-02-2023,1,916,30-34,10,1,1.00,0\n17-08-2023,2,916,30-34,10,-1,n/a,0\n");
    std::fs::write(&file, report).expect("it is written");
    let (file, map) = (text(&file), text(&map(dir.path(), "bad", COST_PLUS)));
    let verb = ["import", "delivery", &file, "--map", &map];

    // When it is imported, then nothing is sent, and every fault is told by line and column
    let output = network.run(&verb).await;
    assert_eq!(output.status.code(), Some(1));
    let told = String::from_utf8_lossy(&output.stderr);
    for fault in [
        "line 12, column \"Date\"",
        "line 13, column \"Clicks\"",
        "line 13, column \"Spent\"",
    ] {
        assert!(told.contains(fault), "{fault} is not told in: {told}");
    }
    assert!(charged(&network, "bad").await.is_empty());

    // When the bad lines are left out, then the others are charged
    let report = network
        .json(&[&verb[..], &["--skip-bad-lines"]].concat())
        .await;
    assert_eq!(report["faults"].as_array().map(Vec::len), Some(3));
    assert_eq!(charged(&network, "bad").await, sums(&lines, cost_micros));
}

#[tokio::test]
async fn other_counts_for_a_row_replace_it_only_when_asked_to() {
    // Given a report, and later another one that takes costs back
    let dir = TempDir::new().expect("a directory");
    let network = Network::up(dir.path(), &["--empty"]).await;
    let mut lines = lines(12);
    let map = map(dir.path(), "corrected", COST_PLUS);
    import(&network, &write(dir.path(), "first.csv", &lines), &map).await;
    let before = charged(&network, "corrected").await;
    lines[4].cost_nanos = 0;
    let second = write(dir.path(), "second.csv", &lines);

    // When it is imported as it is, then it is refused by line
    let (file, map) = (text(&second), text(&map));
    let verb = ["import", "delivery", &file, "--map", &map];
    let output = network.run(&verb).await;
    assert_eq!(output.status.code(), Some(1));
    assert!(String::from_utf8_lossy(&output.stderr).contains("line 6: "));
    assert_eq!(charged(&network, "corrected").await, before);

    // When it is imported as a correction, then the difference is reversed
    let report = network.json(&[&verb[..], &["--correct"]].concat()).await;
    assert_eq!(report["stored"]["corrected"], 1);
    let expected = sums(&lines, cost_micros);
    let patience = std::time::Duration::from_secs(30);
    let corrected = async {
        while charged(&network, "corrected").await != expected {
            tokio::time::sleep(std::time::Duration::from_millis(100)).await;
        }
    };
    let settled = tokio::time::timeout(patience, corrected).await;
    settled.expect("Billing rates the correction");
    assert_verified(&network).await;
}
