//! What a run needs before it measures: the arguments, the built services, the scratch servers.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use clap::{Parser, Subcommand};
use cleave_storage::Engine;
use tempfile::TempDir;

use crate::binaries::given_or_built;
use crate::mesh::Kind;

/// The engines that are measured.
pub(crate) const ENGINES: [Engine; 2] = [Engine::Sqlite, Engine::Postgres];
/// Names the scratch server on which databases are made; the same name as the tests use.
const POSTGRES: &str = "CLEAVE_TEST_POSTGRES_URL";

/// Throughput, latency and CPU per call, beside the limit measured in the same run.
#[derive(Debug, Parser)]
#[command(name = "cleave-bench", version)]
pub(crate) struct Arguments {
    /// Print one JSON object per measure instead of a table.
    #[arg(long)]
    pub(crate) json: bool,
    /// One short round each: shows that everything runs, measures nothing.
    #[arg(long)]
    pub(crate) quick: bool,
    /// Run only the measure of this name.
    #[arg(long, value_name = "MEASURE")]
    only: Option<String>,
    /// The billing binary to drive, instead of one built by the `dist` profile.
    #[arg(long, value_name = "FILE")]
    billing: Option<PathBuf>,
    /// The operations binary to drive, instead of one built by the `dist` profile.
    #[arg(long, value_name = "FILE")]
    operations: Option<PathBuf>,
    #[command(subcommand)]
    pub(crate) role: Option<Role>,
}

/// What else this binary is started as, by itself.
#[derive(Debug, Subcommand)]
pub(crate) enum Role {
    /// Serve the limit of reads: a bare server that answers from memory.
    #[command(hide = true)]
    AnswerFromMemory {
        /// Where to serve.
        addr: SocketAddr,
        /// The parties whose accounts it knows.
        accounts: Vec<String>,
        /// The certificates, for TLS.
        #[arg(long)]
        tls: Option<PathBuf>,
    },
    /// Call servers when told to, on stdin.
    #[command(hide = true)]
    Call {
        /// What to call with.
        kind: Kind,
        /// How many calls are under way at any moment.
        in_flight: usize,
        /// How many threads make them.
        threads: usize,
        /// The servers.
        addresses: Vec<String>,
        /// The certificates, for TLS.
        #[arg(long)]
        tls: Option<PathBuf>,
    },
}

/// Everything that the measures share.
pub(crate) struct Bench {
    /// Billing's binary.
    pub(crate) billing: PathBuf,
    /// Operations' binary.
    pub(crate) operations: PathBuf,
    /// How many delivery rows a turn reports, or rates.
    pub(crate) rows: usize,
    /// How the system and its limit take turns.
    pub(crate) turns: Turns,
}

/// How what is compared takes turns.
pub(crate) struct Turns {
    /// How often.
    pub(crate) rounds: usize,
    /// How long one turn takes.
    pub(crate) span: Duration,
    /// Configuration files and logs of the processes.
    pub(crate) folder: TempDir,
}

impl Turns {
    /// Short ones, or those that measure.
    ///
    /// # Errors
    /// When there is no room for files.
    pub(crate) fn of(arguments: &Arguments) -> Result<Self> {
        let (rounds, span) = match arguments.quick {
            true => (1, Duration::from_millis(300)),
            false => (5, Duration::from_secs(3)),
        };
        Ok(Self {
            rounds,
            span,
            folder: TempDir::with_prefix("cleave-bench-")?,
        })
    }
}

impl std::ops::Deref for Bench {
    type Target = Turns;

    fn deref(&self) -> &Turns {
        &self.turns
    }
}

impl Arguments {
    /// Whether the measure of this name was asked for.
    pub(crate) fn wants(&self, name: &str) -> bool {
        self.only.as_ref().is_none_or(|only| only == name)
    }

    /// Whether no other measure was asked for.
    pub(crate) fn wants_only(&self, name: &str) -> bool {
        self.only.as_ref().is_some_and(|only| only == name)
    }
}

impl Bench {
    /// Builds the services and starts a scratch PostgreSQL when none is named. `None` when the whole run was handed
    /// to a process that sees that server.
    ///
    /// # Errors
    /// When a service cannot be built, or the run in that process failed.
    pub(crate) async fn prepare(arguments: &Arguments) -> Result<Option<Self>> {
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
        if std::env::var_os(POSTGRES).is_none() {
            run_with_servers(&root)?;
            return Ok(None);
        }
        Ok(Some(Self {
            billing: given_or_built(arguments.billing.as_ref(), &root, "billing")?,
            operations: given_or_built(arguments.operations.as_ref(), &root, "operations")?,
            rows: if arguments.quick { 2000 } else { 50_000 },
            turns: Turns::of(arguments)?,
        }))
    }
}

/// Runs this program again beside private servers, which end with it.
fn run_with_servers(root: &Path) -> Result<()> {
    let status = Command::new(root.join("deploy/servers"))
        .arg("run")
        .arg(std::env::current_exe()?)
        .args(std::env::args_os().skip(1))
        .status()
        .context("starting deploy/servers")?;
    ensure!(
        status.success(),
        "the run beside the scratch servers failed"
    );
    Ok(())
}
