//! `cleave statement`: what was delivered, charged, earned and kept, from both services, and the proof that it
//! adds up.

mod books;
mod gather;
mod print;
mod summary;

use std::process::ExitCode;
use std::time::Duration;

use anyhow::Result;
use clap::Args;

use self::summary::Statement;
use crate::cli::OutputArgs;
use crate::output;
use crate::peers::PeerArgs;

/// How often the services are read again when they were busy between two pages.
const ATTEMPTS: u32 = 10;
/// The wait before they are read again.
const PAUSE: Duration = Duration::from_millis(300);

/// Options of `cleave statement`.
#[derive(Debug, Args)]
pub(crate) struct StatementArgs {
    #[command(flatten)]
    peers: PeerArgs,
    #[command(flatten)]
    output: OutputArgs,
}

/// Prints the statement; fails when it does not add up.
pub(crate) async fn statement(args: StatementArgs) -> Result<ExitCode> {
    let peers = args.peers.connect()?;
    let mut statement = read(&peers).await?;
    // Pages are read one after the other: while delivery is being rated they may not belong together.
    for _ in 1..ATTEMPTS {
        if statement.adds_up() {
            break;
        }
        tokio::time::sleep(PAUSE).await;
        statement = read(&peers).await?;
    }
    if args.output.is_json() {
        output::print_json(&statement)?;
    } else {
        print::print(&statement)?;
    }
    if statement.adds_up() {
        Ok(ExitCode::SUCCESS)
    } else {
        eprintln!(
            "cleave: the statement does not add up; `cleave verify` names the first row that differs"
        );
        Ok(ExitCode::FAILURE)
    }
}

async fn read(peers: &crate::peers::Peers) -> Result<Statement> {
    let books = gather::gather(peers).await?;
    Ok(Statement::of(&books))
}
