//! Accounts, leases and the outbox on each engine.

#![allow(clippy::unwrap_used, reason = "what fails in a test fails the test")]

mod account;
mod lease;
mod outbox;
mod stores;
