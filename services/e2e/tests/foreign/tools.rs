//! Where the foreign programs are, and how they are run.

use anyhow::{Context, Result, ensure};
use serde_json::Value;
use std::ffi::OsStr;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader, Lines};
use tokio::process::{Child, ChildStdin, ChildStdout, Command};

/// Names the folder into which the foreign programs were installed.
const TOOLS: &str = "CLEAVE_FOREIGN_TOOLS";
/// Where this crate's scripts are.
const SCRIPTS: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/foreign");
/// How long a foreign program may take over one order, on a machine that is busy with others.
const PATIENCE: Duration = Duration::from_secs(180);

/// The foreign programs.
pub(crate) struct Tools {
    folder: PathBuf,
}

impl Tools {
    /// The programs, or `None` where they were not installed: then `what` is told to be not covered.
    pub(crate) fn find(what: &str) -> Option<Self> {
        match std::env::var_os(TOOLS) {
            Some(folder) => Some(Self {
                folder: folder.into(),
            }),
            None => {
                eprintln!("not covered, for want of {TOOLS}: {what}");
                None
            }
        }
    }

    /// A Python client that takes orders.
    pub(crate) fn caller(&self) -> Result<Script> {
        Script::start(&self.folder.join("bin/python"), "caller.py", &[])
    }

    /// A Python server with these options of its channel; its first answer tells the port.
    pub(crate) fn server(&self, options: &Value) -> Result<Script> {
        let options = options.to_string();
        Script::start(&self.folder.join("bin/python"), "server.py", &[&options])
    }

    /// A Python client that holds many streams.
    pub(crate) fn streams(&self, arguments: &[&str]) -> Result<Script> {
        Script::start(&self.folder.join("bin/python"), "streams.py", arguments)
    }

    /// Where h2load is: Debian's package puts it on the path.
    pub(crate) fn h2load(&self) -> &'static Path {
        Path::new("h2load")
    }

    /// Runs grpcurl and answers what it printed: on stdout when it succeeded, else on stderr.
    pub(crate) async fn grpcurl(&self, arguments: &[&str]) -> Result<(bool, String)> {
        output(&self.folder.join("bin/grpcurl"), arguments).await
    }
}

/// Runs a program to its end: whether it succeeded, and what it printed.
pub(crate) async fn output<A: AsRef<OsStr>>(
    program: &Path,
    arguments: &[A],
) -> Result<(bool, String)> {
    let running = Command::new(program)
        .args(arguments)
        .stdin(Stdio::null())
        .kill_on_drop(true)
        .output();
    let output = tokio::time::timeout(PATIENCE, running)
        .await
        .with_context(|| format!("{} does not end", program.display()))?
        .with_context(|| format!("starting {}", program.display()))?;
    let text = match output.status.success() {
        true => output.stdout,
        false => output.stderr,
    };
    Ok((output.status.success(), String::from_utf8(text)?))
}

/// A Python script that takes orders, one JSON object a line, and answers each with another.
pub(crate) struct Script {
    orders: ChildStdin,
    answers: Lines<BufReader<ChildStdout>>,
    // Ends with this value.
    _child: Child,
}

impl Script {
    fn start(python: &Path, script: &str, arguments: &[&str]) -> Result<Self> {
        let mut child = Command::new(python)
            .arg(Path::new(SCRIPTS).join(script))
            .args(arguments)
            .env("GRPC_VERBOSITY", "ERROR")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .with_context(|| format!("starting {}", python.display()))?;
        let answers = child.stdout.take().context("its output is piped")?;
        Ok(Self {
            orders: child.stdin.take().context("its input is piped")?,
            answers: BufReader::new(answers).lines(),
            _child: child,
        })
    }

    /// Gives an order and waits for the answer.
    pub(crate) async fn ask(&mut self, order: Value) -> Result<Value> {
        self.order(&order).await?;
        self.answer().await
    }

    /// Gives an order.
    pub(crate) async fn order(&mut self, order: &Value) -> Result<()> {
        let line = format!("{order}\n");
        Ok(self.orders.write_all(line.as_bytes()).await?)
    }

    /// The next answer.
    pub(crate) async fn answer(&mut self) -> Result<Value> {
        let line = tokio::time::timeout(PATIENCE, self.answers.next_line())
            .await
            .context("the script does not answer")??
            .context("the script has ended; its complaint is on stderr")?;
        let answer: Value = serde_json::from_str(&line)?;
        ensure!(answer.is_object(), "no answer: {line}");
        Ok(answer)
    }
}
