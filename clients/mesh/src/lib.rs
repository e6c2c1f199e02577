//! The caller's half of the mesh.
//!
//! Knows how to reach a peer and how a call may fail; knows no service by name.

pub mod context;
mod deadline;
mod error;
#[cfg(feature = "fake")]
pub mod fake;
pub mod follow;
pub mod framing;
pub mod metadata;
pub mod paging;
pub mod policy;
pub mod timeout;
mod trace;

pub use deadline::Deadline;
pub use error::{CallError, Cause, FieldViolation};
pub use trace::TraceContext;
