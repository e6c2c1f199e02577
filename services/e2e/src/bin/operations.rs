//! The Operations service as the tests of this package run it.

fn main() -> std::process::ExitCode {
    cleave_host::command::main::<operations::Operations>(cleave_host::commit!())
}
