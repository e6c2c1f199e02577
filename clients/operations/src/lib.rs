//! The typed client of Operations.
//!
//! One method per RPC, in one file per service: each takes the generated request and answers the generated
//! response or a [`CallError`]. Lists also come as streams over all pages, watches as followers that outlive
//! their connections. Timeouts, retries and the rest are the mesh's, after the policy in the contract.

mod ad_unit;
mod advertiser;
mod campaign;
mod catalog;
#[cfg(feature = "fake")]
pub mod conformance;
mod delivery;
pub mod digest;
#[cfg(feature = "fake")]
pub mod fake;
mod game;
mod line_item;
mod publisher;
mod rev_share;

pub use cleave_contracts::operations::v1 as pb;
pub use cleave_contracts::types::v1 as types;
pub use cleave_mesh::{CallError, Origin, Reading};
use cleave_mesh::{Mesh, MeshChannel, MeshError};

/// The name by which the mesh knows Operations.
pub const PEER: &str = "operations";

/// Calls Operations. Clones share the channel.
#[derive(Clone, Debug)]
pub struct OperationsClient {
    channel: MeshChannel,
}

impl OperationsClient {
    /// A client over a channel of the mesh.
    #[must_use]
    pub fn new(channel: MeshChannel) -> Self {
        Self { channel }
    }

    /// A client of the Operations service at `address` (`http://127.0.0.1:50051`), called in the name of `caller`. It
    /// connects with its first call, and must be made inside a tokio runtime.
    ///
    /// # Errors
    /// When the address cannot be one.
    pub fn at(address: &str, caller: &str) -> Result<Self, MeshError> {
        let mesh = Mesh::builder(cleave_contracts::POLICIES)
            .caller(caller)
            .peer(PEER, address)
            .build()?;
        Ok(Self::new(mesh.to(PEER)?))
    }
}
