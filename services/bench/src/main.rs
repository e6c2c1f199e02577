//! The benchmark: what the services reach, each figure beside its limit measured in the same run.
//!
//! `cargo run --profile dist -p cleave-bench` builds the real `billing` binary with the same profile, starts it on
//! scratch databases and drives it from outside.

mod account;
mod bare;
mod billing;
mod connection;
mod cpu;
mod load;
mod memory;
mod process;
mod rating;
mod report;
mod reservation;
mod setup;

use anyhow::Result;
use clap::Parser;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<()> {
    let arguments = setup::Arguments::parse();
    match arguments.role {
        Some(setup::Role::AnswerFromMemory { addr, accounts }) => {
            memory::serve(addr, accounts).await
        }
        None => run(&arguments).await,
    }
}

async fn run(arguments: &setup::Arguments) -> Result<()> {
    let Some(bench) = setup::Bench::prepare(arguments).await? else {
        return Ok(());
    };
    let mut print = report::Printer::new(arguments.json);
    for engine in setup::ENGINES {
        if arguments.wants(account::TITLE.name) {
            print.line(account::measure(&bench, engine).await?)?;
        }
        if arguments.wants(reservation::TITLE.name) {
            print.line(reservation::measure(&bench, engine).await?)?;
        }
        if arguments.wants(connection::TITLE.name) {
            print.line(connection::measure(&bench, engine).await?)?;
        }
        if arguments.wants(rating::TITLE.name) {
            print.line(rating::measure(&bench, engine).await?)?;
        }
    }
    Ok(())
}
