//! Operations as its callers see it: a real server over a real database, driven through the typed client alone.

#![allow(clippy::unwrap_used, reason = "what fails in a test fails the test")]

mod ad_unit;
mod advertiser;
mod bad_input;
mod campaign;
mod catalog;
mod conformance;
mod engines;
mod faults;
mod game;
mod give_up;
mod line_item;
mod make;
mod publisher;
mod rev_share;
mod server;
mod terms;
