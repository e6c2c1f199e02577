//! The typed client of Billing.
//!
//! One method per RPC, in one file per service: each takes the generated request and answers the generated
//! response or a [`CallError`]. Lists also come as streams over all pages, watches as followers that outlive
//! their connections. Timeouts, retries and the rest are the mesh's, after the policy in the contract.

mod account;
#[cfg(feature = "fake")]
pub mod conformance;
#[cfg(feature = "fake")]
pub mod fake;
mod ledger;
mod reservation;
mod spend;

pub use cleave_contracts::billing::v1 as pb;
pub use cleave_contracts::types::v1 as types;
pub use cleave_mesh::{CallError, Origin, Reading};
use cleave_mesh::{Mesh, MeshChannel, MeshError};

/// The name by which the mesh knows Billing.
pub const PEER: &str = "billing";

/// Calls Billing. Clones share the channel.
#[derive(Clone, Debug)]
pub struct BillingClient {
    channel: MeshChannel,
}

impl BillingClient {
    /// A client over a channel of the mesh.
    #[must_use]
    pub fn new(channel: MeshChannel) -> Self {
        Self { channel }
    }

    /// A client of the Billing at `address` (`http://127.0.0.1:50052`), called in the name of `caller`. It
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
