//! Operations under test, beside a Billing that answers from memory.

use anyhow::{Result, ensure};
use billing_client::fake::FakeBilling;
use cleave_storage::Engine;
use operations_client::OperationsClient;
use std::time::{Duration, Instant};

use crate::network::Network;
use crate::service::Service;
use crate::setup::Bench;

/// Who calls: the only one that may report.
const CALLER: &str = "cleave";
/// How long the accounts may take to open before something must be wrong.
const PATIENCE: Duration = Duration::from_secs(60);

/// A running Operations. Fields are dropped in this order: the service before its peer.
pub(crate) struct Operations {
    /// The service.
    pub(crate) service: Service,
    /// Calls it, as `cleave` does.
    pub(crate) client: OperationsClient,
    billing: FakeBilling,
}

impl Operations {
    /// Starts the service on a fresh database of `engine`; `None` when that engine is not at hand.
    ///
    /// # Errors
    /// When it does not serve.
    pub(crate) async fn start(bench: &Bench, engine: Engine) -> Result<Option<Self>> {
        let billing = FakeBilling::start().await?;
        let peer = format!("peers.billing={}", billing.address());
        let service = Service::start(bench, engine, &bench.operations, peer).await?;
        let Some(service) = service else {
            return Ok(None);
        };
        let client = OperationsClient::at(service.process.url(), CALLER)?;
        Ok(Some(Self {
            service,
            client,
            billing,
        }))
    }

    /// Makes a network and waits until its accounts are open, so that nothing else goes on while it is measured.
    ///
    /// # Errors
    /// When a call is refused, or an account stays closed.
    pub(crate) async fn network(&self) -> Result<Network> {
        let network = Network::build(&self.client).await?;
        let deadline = Instant::now() + PATIENCE;
        for party in &network.parties {
            while self.billing.standing(party).is_none() {
                ensure!(Instant::now() < deadline, "{party} has no account yet");
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
        }
        Ok(network)
    }
}
