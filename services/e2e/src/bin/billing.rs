//! The Billing service as the tests of this package run it.

fn main() -> std::process::ExitCode {
    cleave_host::command::main::<billing::Billing>(cleave_host::commit!())
}
