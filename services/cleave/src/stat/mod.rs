//! `cleave stat`: what goes on between the services, by edge and method, as both ends count it.
//!
//! Each admin port is read twice, and what lies between is shown: rates, the part that did not fail, and
//! quantiles out of the latency histograms.

mod calls;
mod ends;
mod figures;
mod growth;
mod print;
mod scrape;

use std::io::{IsTerminal as _, Write as _};
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use anyhow::Result;
use clap::Args;
use cleave_host::config::duration;

use self::figures::Figures;
use self::scrape::Snapshot;
use crate::admin::AdminPort;
use crate::cli::OutputArgs;
use crate::output::say;
use crate::{output, up};

/// Puts the cursor into the first line and clears all that follows.
const CLEAR: &str = "\x1b[H\x1b[J";

/// Options of `cleave stat`.
#[derive(Debug, Args)]
pub(crate) struct StatArgs {
    /// Admin ports of all replicas of all services; those of `cleave up` when none is named.
    #[arg(value_name = "ADDR")]
    admin: Vec<String>,
    /// Where `cleave up --ready-file` wrote its addresses.
    #[arg(long, value_name = "FILE", conflicts_with = "admin")]
    ready_file: Option<PathBuf>,
    /// How long each table covers.
    #[arg(long, value_name = "TIME", default_value = "2s", value_parser = interval)]
    interval: Duration,
    /// Show one table and end.
    #[arg(long)]
    once: bool,
    /// Show one table of everything since the start of each process.
    #[arg(long, conflicts_with_all = ["interval", "once"])]
    total: bool,
    /// Only methods whose name holds this.
    #[arg(long, value_name = "PART")]
    method: Option<String>,
    #[command(flatten)]
    output: OutputArgs,
}

fn interval(text: &str) -> Result<Duration, String> {
    duration::parse(text)
        .filter(|interval| *interval >= Duration::from_millis(100))
        .ok_or_else(|| "give at least 100ms, such as 500ms or 2s".to_owned())
}

/// Shows tables until the end; fails when nobody answers the only one.
pub(crate) async fn stat(args: StatArgs) -> Result<ExitCode> {
    let ports = ports(&args)?;
    if args.total {
        let now = Snapshot::take(&ports).await;
        return show(&args, None, &now);
    }
    let mut before = Snapshot::take(&ports).await;
    loop {
        tokio::time::sleep(args.interval).await;
        let after = Snapshot::take(&ports).await;
        let outcome = show(&args, Some(&before), &after)?;
        if args.once {
            return Ok(outcome);
        }
        before = after;
    }
}

fn show(args: &StatArgs, before: Option<&Snapshot>, after: &Snapshot) -> Result<ExitCode> {
    let mut figures = Figures::between(before, after);
    if let Some(part) = &args.method {
        figures.keep(part);
    }
    let single = args.once || args.total;
    let mut out = std::io::stdout().lock();
    if args.output.is_json() {
        drop(out);
        if single {
            output::print_json(&figures)?;
        } else {
            // One document a line, for whoever reads as they come.
            say!("{}", serde_json::to_string(&figures)?)?;
        }
    } else {
        let clear = if out.is_terminal() && !single {
            CLEAR
        } else {
            ""
        };
        write!(out, "{clear}{}", print::text(&figures))?;
        out.flush()?;
    }
    Ok(if after.hosts.is_empty() {
        ExitCode::FAILURE
    } else {
        ExitCode::SUCCESS
    })
}

fn ports(args: &StatArgs) -> Result<Vec<AdminPort>> {
    let mut addresses = args.admin.clone();
    if let Some(file) = &args.ready_file {
        let ready = up::Ready::read(file)?;
        addresses.extend([ready.admin.operations, ready.admin.billing]);
    }
    if addresses.is_empty() {
        addresses.extend([up::OPERATIONS_ADMIN, up::BILLING_ADMIN].map(str::to_owned));
    }
    let timeout = args.interval.max(Duration::from_secs(1));
    let addresses = addresses.iter();
    Ok(addresses
        .map(|address| AdminPort::new(address, timeout))
        .collect())
}
