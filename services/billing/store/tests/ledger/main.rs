//! The ledger writer on every engine there is.

#![allow(clippy::unwrap_used, reason = "what fails in a test fails the test")]

mod bank;
mod figures;
mod lock_order;
mod moment;
mod platform;
mod replicas;
mod support;
mod writer;
