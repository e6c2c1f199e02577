//! The callee's half of the mesh.
//!
//! Knows how a service listens, answers for its health, refuses, drains and reports; knows no service.

pub mod config;
mod drain;
pub mod status;

pub use drain::Drain;
