//! The callee's half of the mesh.
//!
//! Knows how a service listens, answers for its health, refuses, drains and reports; knows no service.
//! [`Host::builder`] collects what a service consists of and starts it; [`command`] is the frame of its
//! binary.

mod admin;
mod admission;
pub mod command;
pub mod config;
mod contract;
mod drain;
mod health;
mod host;
mod inquiry;
mod meter;
mod peers;
mod probe;
mod reflection;
pub mod release;
mod running;
mod serve;
pub mod status;
mod tap;
mod task;
pub mod telemetry;

/// A generated server that reads compressed requests, and compresses its answers for those who ask for it.
#[macro_export]
macro_rules! gzip {
    ($server:expr) => {
        $server
            .accept_compressed($crate::Gzip::Gzip)
            .send_compressed($crate::Gzip::Gzip)
    };
}

#[doc(hidden)]
pub use tonic::codec::CompressionEncoding as Gzip;

pub use drain::{Drain, asked_by_system};
pub use health::LIVENESS;
pub use host::{Host, HostBuilder};
pub use inquiry::{Inquiry, InquiryError, ServingStatus};
pub use peers::mesh;
pub use running::{Running, Stopped};
pub use serve::{Listen, Listener};
pub use task::{Job, Report, Session, StreamTask, Task};
