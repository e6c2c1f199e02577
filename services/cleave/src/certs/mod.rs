//! `cleave certs`: a development authority, and certificates that say which workload holds them.
//!
//! Not for production: there the platform's own authority issues them (SPIRE, cert-manager, a service
//! mesh), and the services read whatever files it writes.

mod advice;
mod authority;
pub(crate) mod certificate;
pub(crate) mod folder;
mod init;
mod renew;
mod rotate;
mod show;

use crate::cli::OutputArgs;
use anyhow::Result;
use clap::{Args, Subcommand};
use cleave_host::config::duration;
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

pub(crate) use authority::now;

/// The workloads of the house.
const WORKLOADS: [&str; 3] = ["operations", "billing", "cleave"];

/// The verbs of `cleave certs`.
#[derive(Debug, Subcommand)]
pub(crate) enum Certs {
    /// Make an authority and a certificate for each workload, and say what to configure.
    Init(InitArgs),
    /// Give every workload a new key and certificate, signed by the current authority.
    Renew(RenewArgs),
    /// Change the authority without losing a call: first both are believed, after `renew` only the new one.
    RotateCa(RotateArgs),
    /// Show who holds what, signed by whom, until when.
    Show(ShowArgs),
}

/// Options of `cleave certs init`.
#[derive(Debug, Args)]
pub(crate) struct InitArgs {
    /// Where the files go. Created when it does not exist.
    dir: PathBuf,
    /// What the identities begin with, after spiffe://.
    #[arg(long, value_name = "NAME", default_value = "cleave.local")]
    trust_domain: String,
    /// A further workload; may be given again.
    #[arg(long, value_name = "NAME")]
    workload: Vec<String>,
    /// A host name or address at which clients that know no SPIFFE will look for the services, beside
    /// localhost; may be given again.
    #[arg(long, value_name = "HOST")]
    host: Vec<String>,
    /// How long the authority is valid.
    #[arg(long, value_name = "TIME", default_value = "365d", value_parser = lifetime)]
    ca_lifetime: Duration,
    /// How long the certificates of workloads are valid.
    #[arg(long, value_name = "TIME", default_value = "90d", value_parser = lifetime)]
    lifetime: Duration,
    /// Replace an authority that is there already: nobody who believes the old one will believe this one.
    #[arg(long)]
    force: bool,
    /// Do nothing where an authority is there already.
    #[arg(long, conflicts_with = "force")]
    if_absent: bool,
}

/// Options of `cleave certs renew`.
#[derive(Debug, Args)]
pub(crate) struct RenewArgs {
    /// Where the authority is.
    dir: PathBuf,
    /// The workloads to renew; a new one is added. All that are there when none is named.
    workload: Vec<String>,
    /// How long the certificates are valid.
    #[arg(long, value_name = "TIME", default_value = "90d", value_parser = lifetime)]
    lifetime: Duration,
}

/// Options of `cleave certs rotate-ca`.
#[derive(Debug, Args)]
pub(crate) struct RotateArgs {
    /// Where the authority is.
    dir: PathBuf,
    /// End the change: believe the new authority alone. Refused while a workload still has a certificate of
    /// the old one.
    #[arg(long)]
    finish: bool,
    /// How long the new authority is valid.
    #[arg(long, value_name = "TIME", default_value = "365d", value_parser = lifetime)]
    ca_lifetime: Duration,
}

/// Options of `cleave certs show`.
#[derive(Debug, Args)]
pub(crate) struct ShowArgs {
    /// Where the authority is.
    dir: PathBuf,
    #[command(flatten)]
    output: OutputArgs,
}

fn lifetime(text: &str) -> Result<Duration, String> {
    duration::parse(text)
        .filter(|life| *life >= Duration::from_secs(1))
        .ok_or_else(|| "give a time such as 90d or 12h".to_owned())
}

/// Does what was asked.
pub(crate) fn certs(command: Certs) -> Result<ExitCode> {
    match command {
        Certs::Init(args) => init::init(&args)?,
        Certs::Renew(args) => renew::renew(&args)?,
        Certs::RotateCa(args) => rotate::rotate(&args)?,
        Certs::Show(args) => return show::show(&args),
    }
    Ok(ExitCode::SUCCESS)
}
