//! The `cleave` command: both services on one machine, and the tools that people use with them.

// Both services start inside one future here; optimized builds compute the layout of all of it.
#![recursion_limit = "256"]

mod admin;
mod certs;
mod check;
mod cli;
mod ensure;
mod import;
mod metrics;
mod output;
mod peers;
mod sample;
mod stat;
mod statement;
mod tap;
mod time;
mod up;
mod verify;

use std::process::ExitCode;

use clap::Parser;

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    cleave_host::release::built_from(cleave_host::commit!());
    let command = cli::Cli::parse();
    match cli::run(command) {
        Ok(code) => code,
        Err(error) if is_unread(&error) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("cleave: {error:#}");
            ExitCode::FAILURE
        }
    }
}

/// Whether whoever read the output has seen enough, such as `head`.
fn is_unread(error: &anyhow::Error) -> bool {
    let io = error.downcast_ref::<std::io::Error>();
    io.is_some_and(|error| error.kind() == std::io::ErrorKind::BrokenPipe)
}
