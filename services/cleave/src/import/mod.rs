//! `cleave import delivery`: a network's delivery report, through the public RPCs.
//!
//! The file is read whole before anything is sent, so that a bad line stops the import while it has done
//! nothing. Every id follows from the map's `source` and the names in the file, so what was imported before is
//! found again: importing twice, in another order, in parts, or after a crash comes to the same.

mod decimal;
mod ensure;
mod fault;
#[cfg(test)]
mod fuzz;
mod lines;
mod map;
mod plan;
mod rated;
mod report;
mod stream;
mod template;
mod terms;
mod when;

use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::{Context, Result};
use clap::Args;

use self::fault::Fault;
use self::map::Map;
use self::plan::Plan;
use self::report::Report;
use crate::cli::OutputArgs;
use crate::peers::{PeerArgs, Peers};

/// A map that explains every key.
pub(crate) const EXAMPLE_MAP: &str = include_str!("../../import.example.toml");

/// Options of `cleave import delivery`.
#[derive(Debug, Args)]
pub(crate) struct DeliveryArgs {
    /// The report: CSV in UTF-8 with a header line.
    file: PathBuf,
    /// What the columns mean: a TOML file. `cleave import example` prints one that explains every key.
    #[arg(long, value_name = "MAP.toml")]
    map: PathBuf,
    /// Leave out lines that cannot be read, instead of importing nothing.
    #[arg(long)]
    skip_bad_lines: bool,
    /// Replace what an earlier import says of the same ad unit, line item and hour, instead of refusing.
    #[arg(long)]
    correct: bool,
    /// Return once delivery is stored, without waiting until Billing has rated it.
    #[arg(long)]
    no_wait: bool,
    #[command(flatten)]
    peers: PeerArgs,
    #[command(flatten)]
    output: OutputArgs,
}

/// Reads the file, then brings it in.
pub(crate) async fn delivery(args: DeliveryArgs) -> Result<ExitCode> {
    let map = Map::read(&args.map)?;
    let (plan, faults) = lines::read(&args.file, &map)
        .with_context(|| format!("reading {}", args.file.display()))?;
    let mut report = Report::new(&plan, faults);
    if report.has_faults() && !args.skip_bad_lines {
        report.nothing_sent();
        report.print(args.output.is_json())?;
        return Ok(ExitCode::FAILURE);
    }
    send(&args, &map, &plan, &mut report).await?;
    report.print(args.output.is_json())?;
    Ok(report.exit_code())
}

async fn send(args: &DeliveryArgs, map: &Map, plan: &Plan, report: &mut Report) -> Result<()> {
    let peers = args.peers.connect()?;
    let Peers { operations, .. } = &peers;
    ensure::all(&peers, map, plan, report).await?;
    let rows = stream::against_stored(operations, map, plan, args.correct).await?;
    let conflicts = rows.conflicts.iter().map(|conflict| {
        let reason = "other counts were imported for it before (--correct replaces them)";
        Fault::of_line(conflict.line, "", reason)
    });
    report.add_faults(conflicts);
    if rows.conflicts.is_empty() || args.skip_bad_lines {
        stream::send(operations, map, &rows, report).await?;
        if !args.no_wait {
            rated::wait(&peers, plan, report).await?;
        }
    } else {
        report.nothing_sent();
    }
    Ok(())
}
