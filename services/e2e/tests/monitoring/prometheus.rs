//! Prometheus and promtool, run for a test.

use anyhow::{Context as _, Result, ensure};
use cleave_e2e::{admin, until};
use serde_json::Value;
use std::fmt::Write as _;
use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

/// Names the folder with both programs.
const FOLDER: &str = "CLEAVE_PROMETHEUS";

/// The folder with both programs, or `None` where they are not at hand: then `what` is told to be not covered.
pub(crate) fn find(what: &str) -> Option<PathBuf> {
    let folder = std::env::var_os(FOLDER).map(PathBuf::from);
    if folder.is_none() {
        eprintln!("not covered, for want of {FOLDER}: {what}");
    }
    folder
}

/// Runs promtool to its end.
pub(crate) fn promtool(folder: &Path, arguments: &[&str]) -> Result<()> {
    let output = Command::new(folder.join("promtool"))
        .args(arguments)
        .output()
        .context("starting promtool")?;
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    ensure!(
        output.status.success(),
        "promtool {arguments:?}:\n{}{}",
        text(&output.stdout),
        text(&output.stderr)
    );
    Ok(())
}

/// A Prometheus that runs until it is dropped.
pub(crate) struct Prometheus {
    address: SocketAddr,
    child: Child,
}

impl Prometheus {
    /// Starts one with the configuration in `folder`, and waits until it answers.
    pub(crate) async fn start(programs: &Path, folder: &Path) -> Result<Self> {
        let address = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?.local_addr()?;
        let log = std::fs::File::create(folder.join("prometheus.log"))?;
        let child = Command::new(programs.join("prometheus"))
            .arg(format!(
                "--config.file={}",
                folder.join("prometheus.yaml").display()
            ))
            .arg(format!(
                "--storage.tsdb.path={}",
                folder.join("data").display()
            ))
            .arg(format!("--web.listen-address={address}"))
            .stdin(Stdio::null())
            .stdout(log.try_clone()?)
            .stderr(log)
            .spawn()
            .context("starting prometheus")?;
        let prometheus = Self { address, child };
        until::holds("Prometheus is ready", || async {
            admin::page(address, "/-/ready").await.is_ok()
        })
        .await;
        Ok(prometheus)
    }

    /// Asks its API.
    pub(crate) async fn get(&self, path: &str, parameters: &[(&str, &str)]) -> Result<Value> {
        let mut page = format!("/api/v1/{path}?");
        for (name, value) in parameters {
            write!(page, "{}={}&", encoded(name), encoded(value))?;
        }
        let answer = admin::page(self.address, &page).await?;
        let answer: Value = serde_json::from_str(&answer)?;
        ensure!(answer["status"] == "success", "{path}: {answer}");
        Ok(answer["data"].clone())
    }

    /// The series that a query answers.
    pub(crate) async fn query(&self, query: &str) -> Result<Vec<Value>> {
        let answer = self.get("query", &[("query", query)]).await?;
        Ok(answer["result"].as_array().cloned().unwrap_or_default())
    }
}

impl Drop for Prometheus {
    fn drop(&mut self) {
        // The test is over: whether it was still there no longer matters.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn encoded(text: &str) -> String {
    text.bytes().fold(String::new(), |mut encoded, byte| {
        if byte.is_ascii_alphanumeric() {
            encoded.push(char::from(byte));
        } else {
            // Writing to a string does not fail.
            let _ = write!(encoded, "%{byte:02X}");
        }
        encoded
    })
}
