//! The `billing` binary: `serve`, `migrate`, `backup`, `restore`, `health`, `config`.

use std::process::ExitCode;

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    cleave_host::command::main::<billing::Billing>(cleave_host::commit!())
}
