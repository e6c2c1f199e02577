//! Delivery, leases and the tasks behind them, over a real server, a real database and a fake Billing.

#![expect(
    clippy::unwrap_used,
    reason = "a test that cannot go on has failed; clippy sees this only within test functions"
)]

mod accounts;
mod explain;
mod freeze;
mod leases;
mod network;
mod outage;
mod read;
mod report;
mod server;
mod watch;
