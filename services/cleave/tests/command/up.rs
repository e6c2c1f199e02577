//! Bringing both services up.

use tempfile::TempDir;

use crate::network::Network;

#[tokio::test]
async fn an_empty_directory_gets_a_sample_that_adds_up() {
    // Given a network that started with nothing
    let dir = TempDir::new().expect("a directory");
    let network = Network::up(dir.path(), &[]).await;

    // Then it has delivered, charged and earned, and both proofs hold
    let verified = network.json(&["verify"]).await;
    assert_eq!(verified["clean"], true);
    assert!(verified["rating"]["rows"].as_i64() > Some(20), "{verified}");
    let statement = network.json(&["statement"]).await;
    let campaigns = statement["campaigns"].as_array().expect("a list");
    assert_eq!(campaigns.len(), 7);
    assert_eq!(statement["publishers"].as_array().map(Vec::len), Some(4));
    assert_eq!(statement["proofs"][0]["holds"], true);
    assert_eq!(statement["rating"]["parked_rows"], 0);

    // When it is interrupted, then it drains and ends well
    assert_eq!(network.interrupt().await.code(), Some(0));

    // When it comes up again, then everything is there as it was, and once
    let network = Network::up(dir.path(), &[]).await;
    let again = network.json(&["statement"]).await;
    assert_eq!(again["campaigns"], statement["campaigns"]);
    assert_eq!(again["proofs"], statement["proofs"]);
    assert_eq!(network.interrupt().await.code(), Some(0));
}

#[tokio::test]
async fn people_get_tables() {
    let dir = TempDir::new().expect("a directory");
    let network = Network::up(dir.path(), &["--empty"]).await;
    let statement = network.run(&["statement"]).await;
    assert!(statement.status.success());
    let shown = String::from_utf8_lossy(&statement.stdout).into_owned();
    assert!(
        shown.contains("Advertiser") && shown.contains("0 of 0 delivery rows"),
        "{shown}"
    );
    let verified = network.run(&["verify"]).await;
    let shown = String::from_utf8_lossy(&verified.stdout).into_owned();
    assert!(shown.contains("everything agrees"), "{shown}");
}

#[tokio::test]
async fn an_address_that_is_none_is_told() {
    let dir = TempDir::new().expect("a directory");
    let output = tokio::process::Command::new(env!("CARGO_BIN_EXE_cleave"))
        .args(["--operations", "nowhere", "--data-dir"])
        .arg(dir.path())
        .output()
        .await
        .expect("the binary runs");
    assert_eq!(output.status.code(), Some(1));
    let told = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(told.contains("nowhere"), "{told}");
}
