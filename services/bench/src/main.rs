//! The benchmark: what the services reach, each figure beside its limit measured in the same run.
//!
//! `cargo run --profile dist -p cleave-bench` builds the real `billing` and `operations` binaries with the same
//! profile, starts them on scratch databases and drives them from outside.

mod account;
mod bare;
mod bare_rows;
mod billing;
mod binaries;
mod connection;
mod cpu;
mod footprint;
mod intake;
mod load;
mod memory;
mod mesh;
mod network;
mod operations;
mod process;
mod rating;
mod report;
mod reservation;
mod service;
mod setup;

use anyhow::Result;
use clap::Parser;

// As in the services.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> Result<()> {
    let arguments = setup::Arguments::parse();
    match &arguments.role {
        Some(setup::Role::AnswerFromMemory {
            addr,
            accounts,
            tls,
        }) => {
            let secure = tls.clone().map(mesh::Secure::at);
            alone(memory::serve(*addr, accounts.clone(), secure))
        }
        Some(setup::Role::Call {
            kind,
            in_flight,
            threads,
            addresses,
            tls,
        }) => {
            let secure = tls.clone().map(mesh::Secure::at);
            mesh::call(*kind, *in_flight, *threads, addresses, secure)
        }
        None => alone(run(&arguments)),
    }
}

/// Runs on one thread.
fn alone(work: impl Future<Output = Result<()>>) -> Result<()> {
    let mut runtime = tokio::runtime::Builder::new_current_thread();
    runtime.enable_all().build()?.block_on(work)
}

async fn run(arguments: &setup::Arguments) -> Result<()> {
    if arguments.wants_only(mesh::NAME) {
        // No service takes part, and no database.
        return mesh::measure(&setup::Turns::of(arguments)?, arguments.json).await;
    }
    let Some(bench) = setup::Bench::prepare(arguments).await? else {
        return Ok(());
    };
    if arguments.wants(mesh::NAME) {
        mesh::measure(&bench.turns, arguments.json).await?;
    }
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
        if arguments.wants(intake::TITLE.name) {
            print.line(intake::measure(&bench, engine).await?)?;
        }
        if arguments.wants(rating::TITLE.name) {
            print.line(rating::measure(&bench, engine).await?)?;
        }
    }
    Ok(())
}
