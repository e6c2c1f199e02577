//! The caller's half of the mesh.
//!
//! Knows how to reach a peer and how a call may fail; knows no service by name. [`Mesh::to`] gives a
//! [`MeshChannel`], on which any generated tonic client runs. From the outside in, a call passes its
//! deadline, its retries and one attempt after another; the [`policy`] of its method decides.

mod answer;
mod call;
pub mod context;
mod deadline;
mod error;
mod failure;
#[cfg(feature = "fake")]
pub mod fake;
pub mod follow;
pub mod framing;
mod mesh;
pub mod metadata;
pub mod metrics;
pub mod paging;
mod peer;
pub mod policy;
mod replay;
mod retry;
pub mod timeout;
pub mod tls;
mod trace;
mod verdict;

pub use deadline::Deadline;
pub use error::{CallError, Cause, Failed, FieldViolation};
pub use mesh::{Mesh, MeshBuilder, MeshChannel, PeerState};
pub use peer::{MeshError, Tuning};
pub use trace::TraceContext;
