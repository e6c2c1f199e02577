//! An in-memory Billing for tests: a real server on a port of its own that answers the RPCs which Operations'
//! tasks call, and refuses all others as unimplemented.
//!
//! It passes the same [conformance](crate::conformance) cases as the real service. Money comes and goes by the
//! controls here, as it would by payments and rated delivery.

mod account;
mod books;
mod clock;
mod refusal;
mod reservation;
mod spend;

use std::io;
use std::time::Duration;

use cleave_contracts::billing::v1::account_service_server::AccountServiceServer;
use cleave_contracts::billing::v1::reservation_service_server::ReservationServiceServer;
use cleave_contracts::billing::v1::spend_service_server::SpendServiceServer;
use cleave_mesh::fake::FakeServer;
pub use cleave_mesh::fake::Fault;
use tonic::service::Routes;

use self::books::Shelf;
use crate::types::AccountStanding;
use crate::{BillingClient, pb};

/// A Billing that lives in this process. It goes down for good when dropped.
#[derive(Debug)]
pub struct FakeBilling {
    server: FakeServer,
    shelf: Shelf,
}

impl FakeBilling {
    /// Starts an empty Billing on a free port.
    ///
    /// # Errors
    /// When no port can be bound.
    pub async fn start() -> io::Result<Self> {
        let shelf = Shelf::default();
        let routes = Routes::new(AccountServiceServer::new(shelf.clone()))
            .add_service(ReservationServiceServer::new(shelf.clone()))
            .add_service(SpendServiceServer::new(shelf.clone()));
        let server = FakeServer::start(routes).await?;
        Ok(Self { server, shelf })
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

    /// A client of it, which calls in the name of Operations.
    #[must_use]
    pub fn client(&self) -> BillingClient {
        BillingClient::at(&self.address(), "operations").expect("the address is a socket's")
    }

    /// Credits a payment to the account of a party. Nothing happens when it has none.
    pub fn pay(&self, ops_ref: &str, micros: i64) {
        self.shelf.edit(|books| books.pay(ops_ref, micros));
    }

    /// Sets the standing of a party's account by hand; `None` lets it be computed again.
    pub fn set_standing(&self, ops_ref: &str, standing: Option<AccountStanding>) {
        self.shelf
            .edit(|books| books.set_standing(ops_ref, standing));
    }

    /// Charges rated delivery of a line item: to its oldest holds first, then to the free balance.
    pub fn charge(&self, ops_ref: &str, line_item_id: &str, micros: i64) {
        self.shelf
            .edit(|books| books.charge(ops_ref, line_item_id, micros));
    }

    /// Moves Billing's clock on, so that leases end without waiting.
    pub fn advance(&self, span: Duration) {
        self.shelf.edit(|books| books.clock.advance(span));
    }

    /// Behaves as after a restore from a backup: resume tokens handed out before are refused.
    pub fn restore(&self) {
        self.shelf.edit(books::Books::restore);
    }

    /// Every reservation there was, oldest first.
    #[must_use]
    pub fn reservations(&self) -> Vec<pb::Reservation> {
        self.shelf.edit(|books| books.reservations.clone())
    }

    /// The standing of a party's account, if it has one.
    #[must_use]
    pub fn standing(&self, ops_ref: &str) -> Option<pb::AccountStandingInfo> {
        self.shelf.edit(|books| books.standing_info(ops_ref))
    }
}
