//! The caller's half of the mesh.
//!
//! Knows how to reach a peer and how a call may fail; knows no service by name. [`Mesh::to`] gives a
//! [`MeshChannel`], on which any generated tonic client runs. From the outside in, a call passes its
//! deadline, its retries and one attempt after another; the [`policy`] of its method decides.

mod answer;
mod attempt;
mod attempts;
mod budget;
mod cache;
mod call;
mod cause;
mod chain;
pub mod context;
pub mod contract;
mod deadline;
mod error;
mod exchange;
mod failure;
#[cfg(feature = "fake")]
pub mod fake;
pub mod follow;
pub mod framing;
#[cfg(test)]
mod fuzz;
mod hedge;
mod mesh;
pub mod metadata;
pub mod metrics;
mod names;
pub mod paging;
mod peer;
pub mod policy;
mod reading;
mod replay;
mod retry;
pub mod span;
mod stamp;
pub mod timeout;
pub mod tls;
mod trace;
mod trouble;
mod tuning;
mod verdict;

pub use cache::FromCache;
pub use cause::Cause;
pub use chain::Chain;
pub use deadline::Deadline;
pub use error::{CallError, Failed, FieldViolation};
pub use mesh::{Mesh, MeshBuilder, MeshChannel, PeerState};
pub use peer::{BoxIo, Connect, Io, MeshError, ReplicaState, Resolve, ResolveError, Resolved};
pub use reading::{Origin, Reading};
pub use trace::TraceContext;
pub use tuning::Tuning;
