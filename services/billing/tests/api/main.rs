//! Billing as its callers see it: a real server over a real database, driven through the typed client alone.

#![allow(clippy::unwrap_used, reason = "what fails in a test fails the test")]

mod accounts;
mod bad_input;
mod delivery;
mod engines;
mod faults;
mod ledger;
mod reservations;
mod server;
mod spend;
mod watch;
mod write_off;
