//! The two services that every verb but `up` calls.

use anyhow::{Context, Result};
use billing_client::BillingClient;
use clap::Args;
use operations_client::OperationsClient;

/// The workload that this command calls as.
const CALLER: &str = "cleave";

/// Where the services are.
#[derive(Clone, Debug, Args)]
pub(crate) struct PeerArgs {
    /// Address of Operations.
    #[arg(long, value_name = "ADDR", default_value = "127.0.0.1:50051")]
    pub(crate) operations: String,
    /// Address of Billing.
    #[arg(long, value_name = "ADDR", default_value = "127.0.0.1:50052")]
    pub(crate) billing: String,
}

/// Clients of both services.
#[derive(Clone, Debug)]
pub(crate) struct Peers {
    pub(crate) operations: OperationsClient,
    pub(crate) billing: BillingClient,
}

impl PeerArgs {
    /// Clients that connect with their first call.
    pub(crate) fn connect(&self) -> Result<Peers> {
        Ok(Peers {
            operations: OperationsClient::at(&url(&self.operations), CALLER)
                .with_context(|| format!("{} as the address of Operations", self.operations))?,
            billing: BillingClient::at(&url(&self.billing), CALLER)
                .with_context(|| format!("{} as the address of Billing", self.billing))?,
        })
    }
}

/// People write `host:port`; the mesh wants a URL.
fn url(address: &str) -> String {
    if address.contains("://") {
        address.to_owned()
    } else {
        format!("http://{address}")
    }
}
