//! The two services that every verb but `up` calls.

use std::path::PathBuf;
use std::time::Duration;

use anyhow::{Context, Result};
use billing_client::BillingClient;
use clap::Args;
use cleave_mesh::Mesh;
use cleave_mesh::tls::{Credentials, TlsFiles, TrustDomain};
use operations_client::OperationsClient;

/// The workload that this command calls as.
const CALLER: &str = "cleave";
/// How often the files of the identity are read again, for commands that run for hours.
const RELOAD_PERIOD: Duration = Duration::from_secs(10);

/// Where the services are, and who asks.
#[derive(Clone, Debug, Args)]
pub(crate) struct PeerArgs {
    /// Address of Operations.
    #[arg(long, value_name = "ADDR", default_value = "127.0.0.1:50051")]
    pub(crate) operations: String,
    /// Address of Billing.
    #[arg(long, value_name = "ADDR", default_value = "127.0.0.1:50052")]
    pub(crate) billing: String,
    #[command(flatten)]
    pub(crate) identity: IdentityArgs,
}

/// Who this command is to the services. With a certificate they are called over TLS.
#[derive(Clone, Debug, Args)]
#[command(next_help_heading = "Identity")]
pub(crate) struct IdentityArgs {
    /// PEM file with the certificate of the workload `cleave`.
    #[arg(long, env = "CLEAVE_CERTIFICATE", value_name = "FILE", requires_all = ["key", "authority"])]
    certificate: Option<PathBuf>,
    /// PEM file with the key of the certificate.
    #[arg(
        long,
        env = "CLEAVE_KEY",
        value_name = "FILE",
        requires = "certificate"
    )]
    key: Option<PathBuf>,
    /// PEM file with the authorities that vouch for the services.
    #[arg(
        long,
        env = "CLEAVE_AUTHORITY",
        value_name = "FILE",
        requires = "certificate"
    )]
    authority: Option<PathBuf>,
    /// What the SPIFFE IDs of all workloads begin with.
    #[arg(
        long,
        env = "CLEAVE_TRUST_DOMAIN",
        value_name = "DOMAIN",
        default_value = "cleave.local"
    )]
    trust_domain: String,
    /// Call services beyond loopback in plaintext, where there is no certificate.
    #[arg(long, env = "CLEAVE_ALLOW_PLAINTEXT")]
    allow_plaintext: bool,
}

/// Clients of both services.
#[derive(Clone, Debug)]
pub(crate) struct Peers {
    pub(crate) operations: OperationsClient,
    pub(crate) billing: BillingClient,
}

impl PeerArgs {
    /// Clients that connect with their first call. Must be called inside a tokio runtime.
    pub(crate) fn connect(&self) -> Result<Peers> {
        let credentials = self.identity.credentials()?;
        if let Some(credentials) = credentials.clone() {
            tokio::spawn(credentials.follow(RELOAD_PERIOD));
        }
        let mesh = Mesh::builder(cleave_contracts::POLICIES)
            .caller(CALLER)
            .credentials(credentials)
            .allow_plaintext(self.identity.allow_plaintext)
            // In `cleave up` they would be taken for calls of the services.
            .uncounted()
            .peer(operations_client::PEER, &self.operations)
            .peer(billing_client::PEER, &self.billing)
            .build()?;
        Ok(Peers {
            operations: OperationsClient::new(mesh.to(operations_client::PEER)?),
            billing: BillingClient::new(mesh.to(billing_client::PEER)?),
        })
    }
}

impl IdentityArgs {
    /// What the files hold, when there are any.
    fn credentials(&self) -> Result<Option<Credentials>> {
        let (Some(certificate), Some(key)) = (&self.certificate, &self.key) else {
            return Ok(None);
        };
        let files = TlsFiles {
            certificate: certificate.clone(),
            key: key.clone(),
            authority: self.authority.clone(),
        };
        let domain = TrustDomain::parse(&self.trust_domain)?;
        let credentials = Credentials::load(files, domain).context("the own identity")?;
        Ok(Some(credentials))
    }
}
