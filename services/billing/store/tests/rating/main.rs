//! Rating through the real store, on every engine: what is rated, stored, verified and listed.

#![allow(
    clippy::unwrap_used,
    reason = "a helper of tests: what fails here fails the test"
)]

mod funding;
mod golden;
mod parked;
mod replay;
mod spend;
mod world;
mod write_off;
