//! Runs both services as real processes over real sockets, and hands tests typed clients of both.
//!
//! With `cleave` the only crate that may see both sides.

pub mod admin;
pub mod advertisers;
pub mod identities;
pub mod manifests;
pub mod network;
mod pair;
mod process;
mod proxy;
mod refuser;
mod replicas;
pub mod steady;
mod stuck;
pub mod tools;
pub mod until;

pub use manifests::Manifests;
pub use pair::{Engine, Identities, Pair, Programs};
pub use process::Process;
pub use proxy::{Fault, FaultProxy};
pub use refuser::Refuser;
pub use replicas::Replicas;
pub use stuck::Stuck;
