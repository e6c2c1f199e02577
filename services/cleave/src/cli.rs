//! The command line: its verbs and what they share.

use std::io::{self, Write as _};
use std::process::ExitCode;

use anyhow::{Context, Result};
use clap::{Args, Parser, Subcommand, ValueEnum};
use cleave_host::command::Program as _;
use cleave_host::release;
use operations::Operations;

use crate::certs::Certs;
use crate::up::UpArgs;
use crate::{certs, check, import, stat, statement, tap, up, verify};

/// Two data services of an ad network, Operations and Billing, and the tools around them.
///
/// Without a subcommand, `cleave` is `cleave up`.
#[derive(Debug, Parser)]
#[command(
    version = release::short(),
    long_version = release::long(cleave_contracts::POLICIES, Operations::DATABASES),
    args_conflicts_with_subcommands = true
)]
pub(crate) struct Cli {
    #[command(subcommand)]
    command: Option<Command>,
    #[command(flatten)]
    up: UpArgs,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Serve both sides on this machine until Ctrl-C.
    Up(UpArgs),
    /// Bring data in from elsewhere.
    #[command(subcommand)]
    Import(Import),
    /// Show what was delivered, charged, earned and kept, and prove that it adds up.
    Statement(statement::StatementArgs),
    /// Watch the calls of a service as they end, with their messages.
    Tap(tap::TapArgs),
    /// Replay the ledger and rate every bucket anew from delivery; fail at the first difference.
    Verify(verify::VerifyArgs),
    /// Check configuration, databases, peers, certificates, clocks and tasks, and say what to mend.
    Check(check::CheckArgs),
    /// Show the calls between the services as they happen: rates, success, latencies, retries, ejections.
    Stat(stat::StatArgs),
    /// Make and change certificates for development.
    #[command(subcommand)]
    Certs(Certs),
}

#[derive(Debug, Subcommand)]
enum Import {
    /// Bring in a network's delivery report: a CSV file, and a map that says what its columns mean.
    Delivery(Box<import::DeliveryArgs>),
    /// Print a map that explains every key, to be edited.
    Example,
}

/// How results are printed.
#[derive(Clone, Copy, Debug, Args)]
pub(crate) struct OutputArgs {
    /// How to print results: for people, or for programs.
    #[arg(long, value_enum, value_name = "FORMAT", default_value = "text")]
    output: Format,
    /// The same as --output json.
    #[arg(long)]
    json: bool,
}

/// Who reads the results.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Format {
    /// People.
    Text,
    /// Programs.
    Json,
}

impl OutputArgs {
    /// Whether programs read the results.
    pub(crate) fn is_json(self) -> bool {
        self.json || self.output == Format::Json
    }
}

/// Runs the verb that was asked for, to its end.
pub(crate) fn run(cli: Cli) -> Result<ExitCode> {
    tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .context("starting the runtime")?
        .block_on(dispatch(cli))
}

/// Each verb is boxed: their futures are large and only one of them runs.
async fn dispatch(cli: Cli) -> Result<ExitCode> {
    match cli.command {
        Some(Command::Up(args)) => Box::pin(up::up(args)).await,
        Some(Command::Import(Import::Delivery(args))) => Box::pin(import::delivery(*args)).await,
        Some(Command::Import(Import::Example)) => {
            write!(io::stdout(), "{}", import::EXAMPLE_MAP)?;
            Ok(ExitCode::SUCCESS)
        }
        Some(Command::Statement(args)) => Box::pin(statement::statement(args)).await,
        Some(Command::Tap(args)) => Box::pin(tap::tap(args)).await,
        Some(Command::Verify(args)) => Box::pin(verify::verify(args)).await,
        Some(Command::Check(args)) => Box::pin(check::check(args)).await,
        Some(Command::Stat(args)) => Box::pin(stat::stat(args)).await,
        Some(Command::Certs(command)) => certs::certs(command),
        None => Box::pin(up::up(cli.up)).await,
    }
}
