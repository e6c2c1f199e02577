//! `cleave verify`: proves the ledger from its transfers, and the ratings from Operations' delivery rows.
//!
//! Billing replays its ledger itself, through the pure model. The ratings are computed here once more, from what
//! Operations says was delivered, with the same pure functions that Billing rates with.

mod convert;
mod ledger;
mod rating;
mod rows;

use std::io;
use std::process::ExitCode;

use anyhow::{Context, Result};
use clap::Args;
use jiff::tz::TimeZone;
use serde::Serialize;

use self::ledger::LedgerCheck;
use self::rating::RatingCheck;
use crate::cli::OutputArgs;
use crate::output;
use crate::output::say;
use crate::peers::PeerArgs;

/// Options of `cleave verify`.
#[derive(Debug, Args)]
pub(crate) struct VerifyArgs {
    /// The zone of Billing's accounting months: its ledger.time_zone.
    #[arg(long, value_name = "ZONE", default_value = "Asia/Kolkata")]
    time_zone: String,
    #[command(flatten)]
    peers: PeerArgs,
    #[command(flatten)]
    output: OutputArgs,
}

/// Something that does not agree.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub(crate) struct Difference {
    /// The row that differs.
    pub(crate) row: String,
    /// Which value of it.
    pub(crate) field: String,
    /// What it should be.
    pub(crate) expected: String,
    /// What it is.
    pub(crate) found: String,
}

/// What was checked, and what was found.
#[derive(Debug, Serialize)]
struct Verification {
    ledger: LedgerCheck,
    /// Absent when the ledger itself is wrong.
    rating: Option<RatingCheck>,
    clean: bool,
}

/// Checks, and fails with the first difference.
pub(crate) async fn verify(args: VerifyArgs) -> Result<ExitCode> {
    let zone = TimeZone::get(&args.time_zone)
        .with_context(|| format!("{:?} is no time zone", args.time_zone))?;
    let peers = args.peers.connect()?;
    let ledger = ledger::check(&peers.billing).await?;
    let rating = match ledger.difference {
        None => Some(rating::check(&peers, &zone).await?),
        Some(_) => None,
    };
    let difference = match &rating {
        None => ledger.difference.clone(),
        Some(rating) => rating.difference.clone(),
    };
    let verification = Verification {
        ledger,
        rating,
        clean: difference.is_none(),
    };
    if args.output.is_json() {
        output::print_json(&verification)?;
    } else {
        print(&verification)?;
    }
    match difference {
        None => Ok(ExitCode::SUCCESS),
        Some(difference) => {
            let Difference {
                row,
                field,
                expected,
                found,
            } = difference;
            eprintln!("cleave: {row}: {field} should be {expected} and is {found}");
            Ok(ExitCode::FAILURE)
        }
    }
}

fn print(verification: &Verification) -> io::Result<()> {
    let ledger = &verification.ledger;
    say!(
        "ledger    {} transfers replayed, {} ledger accounts and {} reservations compared",
        ledger.transfers,
        ledger.ledger_accounts,
        ledger.reservations
    )?;
    say!(
        "billing   {} buckets rated anew from the {} rows that Billing keeps",
        ledger.buckets,
        ledger.rows
    )?;
    if let Some(rating) = &verification.rating {
        say!(
            "delivery  {} rows of Operations rated anew into {} buckets, {} parked rows left out",
            rating.rows,
            rating.buckets,
            rating.parked
        )?;
    }
    if verification.clean {
        say!("everything agrees, to the micro")?;
    }
    Ok(())
}
