//! A `cleave up` of its own for a test, and other verbs run against it.

use std::path::{Path, PathBuf};
use std::process::{ExitStatus, Output, Stdio};
use std::time::Duration;

use serde_json::Value;
use tokio::process::{Child, Command};

/// The command.
pub(crate) const CLEAVE: &str = env!("CARGO_BIN_EXE_cleave");
/// How long a network may take to get ready or to end.
const PATIENCE: Duration = Duration::from_secs(90);
const PAUSE: Duration = Duration::from_millis(20);

/// Both services, in a process of their own.
pub(crate) struct Network {
    child: Child,
    ready_file: PathBuf,
    pub(crate) operations: String,
    pub(crate) billing: String,
}

impl Network {
    /// Starts `cleave up` on free ports and waits until it is ready.
    pub(crate) async fn up(dir: &Path, options: &[&str]) -> Self {
        Self::up_with(dir, options, &[]).await
    }

    /// The same with these environment variables.
    pub(crate) async fn up_with(
        dir: &Path,
        options: &[&str],
        variables: &[(&str, String)],
    ) -> Self {
        let ready_file = dir.join("ready.json");
        let _ = std::fs::remove_file(&ready_file);
        let child = Command::new(CLEAVE)
            .arg("up")
            .arg("--data-dir")
            .arg(dir.join("data"))
            .arg("--ready-file")
            .arg(&ready_file)
            .args(["--operations", "127.0.0.1:0", "--billing", "127.0.0.1:0"])
            .args(options)
            .env("RUST_LOG", "error")
            .envs(variables.iter().map(|(name, value)| (name, value)))
            .stdout(Stdio::null())
            .kill_on_drop(true)
            .spawn()
            .expect("the binary starts");
        let ready = ready(&ready_file).await;
        let address = |of: &str| ready[of].as_str().expect("an address").to_owned();
        Self {
            child,
            ready_file,
            operations: address("operations"),
            billing: address("billing"),
        }
    }

    /// Runs a verb against the network.
    pub(crate) async fn run(&self, verb: &[&str]) -> Output {
        Command::new(CLEAVE)
            .args(verb)
            .args(["--operations", &self.operations, "--billing", &self.billing])
            .output()
            .await
            .expect("the binary runs")
    }

    /// Where its addresses are written.
    pub(crate) fn ready_file(&self) -> &str {
        self.ready_file.to_str().expect("text")
    }

    /// Runs a verb that succeeds, and reads its JSON.
    pub(crate) async fn json(&self, verb: &[&str]) -> Value {
        let output = self.run(&[verb, &["--json"]].concat()).await;
        let told = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(output.status.success(), "{verb:?}: {told}");
        serde_json::from_slice(&output.stdout).expect("JSON")
    }

    /// Asks it to end, as Ctrl-C does, and waits until it has.
    pub(crate) async fn interrupt(mut self) -> ExitStatus {
        let id = self.child.id().expect("it runs").to_string();
        let asked = Command::new("kill").args(["-INT", &id]).status().await;
        assert!(asked.expect("kill runs").success());
        let ended = tokio::time::timeout(PATIENCE, self.child.wait()).await;
        ended.expect("it ends in time").expect("it is our child")
    }

    /// Ends it without a warning.
    pub(crate) async fn kill(mut self) {
        self.child.kill().await.expect("it runs");
    }
}

async fn ready(file: &PathBuf) -> Value {
    let reading = async {
        loop {
            if let Ok(text) = std::fs::read(file) {
                return serde_json::from_slice(&text).expect("JSON");
            }
            tokio::time::sleep(PAUSE).await;
        }
    };
    let read = tokio::time::timeout(PATIENCE, reading).await;
    read.expect("it is ready in time")
}
