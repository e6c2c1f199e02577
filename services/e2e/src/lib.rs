//! Runs both services as real processes over real sockets, and hands tests typed clients of both.
//!
//! With `cleave` the only crate that may see both sides.

mod admin;
pub mod identities;
pub mod network;
mod pair;
mod process;
pub mod until;

pub use pair::{Engine, Identities, Pair, Programs};
pub use process::Process;
