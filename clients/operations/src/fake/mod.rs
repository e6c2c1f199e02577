//! An in-memory Operations for tests: a real server on a port of its own that answers the RPCs which Billing's
//! tasks call, and refuses all others as unimplemented.
//!
//! It passes the same [conformance](crate::conformance) cases as the real service. What people and ad servers
//! would bring in comes by the controls here.

mod catalog;
mod delivery;
mod feed;
mod line_item;
mod refusal;
mod world;

use std::io;

use cleave_contracts::operations::v1::catalog_service_server::CatalogServiceServer;
use cleave_contracts::operations::v1::delivery_service_server::DeliveryServiceServer;
use cleave_contracts::operations::v1::line_item_service_server::LineItemServiceServer;
use cleave_mesh::fake::FakeServer;
pub use cleave_mesh::fake::Fault;
use prost_types::Timestamp;
use tonic::service::Routes;
use type_safe_id::{DynamicType, TypeSafeId};
use uuid::Uuid;

use self::world::Globe;
pub use self::world::ShareVersion;
use crate::{OperationsClient, pb};

/// An Operations service that lives in this process. It goes down for good when dropped.
#[derive(Debug)]
pub struct FakeOperations {
    server: FakeServer,
    globe: Globe,
}

impl FakeOperations {
    /// Starts an empty Operations service on a free port.
    ///
    /// # Errors
    /// When no port can be bound.
    pub async fn start() -> io::Result<Self> {
        let globe = Globe::default();
        let routes = Routes::new(DeliveryServiceServer::new(globe.clone()))
            .add_service(LineItemServiceServer::new(globe.clone()))
            .add_service(CatalogServiceServer::new(globe.clone()));
        let server = FakeServer::start(routes).await?;
        Ok(Self { server, globe })
    }

    /// The server, to take it down, bring it back, or fail calls.
    #[must_use]
    pub fn server(&self) -> &FakeServer {
        &self.server
    }

    /// Where it is reached, as a peer's address.
    #[must_use]
    pub fn address(&self) -> String {
        format!("http://{}", self.server.addr())
    }

    /// A client of it, which calls in the name of Billing.
    #[must_use]
    pub fn client(&self) -> OperationsClient {
        OperationsClient::at(&self.address(), "billing").expect("the address is a socket's")
    }

    /// Publishes a version of a line item's terms, as given.
    pub fn publish_terms(&self, terms: pb::LineItemTerms) {
        self.globe.edit(|world| world.publish_terms(terms));
    }

    /// Publishes a revenue share for one ad unit.
    pub fn publish_share(&self, share: ShareVersion) {
        self.globe.edit(|world| world.publish_share(share));
    }

    /// Creates or changes a party.
    pub fn put_party(&self, party: pb::Party) {
        self.globe.edit(|world| world.put_party(party));
    }

    /// Reports delivery: rows above the stored revision of their key replace it, others change nothing.
    pub fn report(&self, rows: impl IntoIterator<Item = pb::DeliveryRow>) {
        self.globe.edit(|world| {
            for row in rows {
                world.report(row);
            }
        });
    }

    /// Says that a source has reported everything before an instant.
    pub fn complete_through(&self, source: &str, instant: Timestamp) {
        self.globe
            .edit(|world| world.complete_through(source, instant));
    }

    /// Behaves as after a restore from a backup: resume tokens handed out before are refused.
    pub fn restore(&self) {
        self.globe.edit(world::World::restore);
    }
}

/// A new typed id, such as `line_01h455vb4pex5vsknk084sn02q`.
///
/// # Panics
/// When the prefix is not one.
#[must_use]
pub fn new_id(prefix: &str) -> String {
    let prefix = DynamicType::new(prefix).expect("a prefix of lower case letters");
    TypeSafeId::from_type_and_uuid(prefix, Uuid::now_v7()).to_string()
}
