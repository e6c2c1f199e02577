//! The two services, as one thing to start and to end.

use anyhow::{Context, Result};
use billing::Billing;
use cleave_host::Running;
use cleave_host::command::Program;
use cleave_host::config::Rejected;
use operations::Operations;

use super::UpArgs;
use super::address::Addresses;
use super::database;
use crate::peers::{IdentityArgs, PeerArgs, Peers};

/// Both services, running.
pub(super) struct Pair {
    pub(super) operations: Running,
    pub(super) billing: Running,
}

impl Pair {
    /// Starts both. Neither waits for the other.
    pub(super) async fn start(args: &UpArgs) -> Result<Self> {
        let operations = Addresses::of(&args.operations)?;
        let billing = Addresses::of(&args.billing)?;
        let dir = args.data_dir.as_path();
        let operations_db = database::url(args.operations_db.as_ref(), dir, "operations.db")?;
        let billing_db = database::url(args.billing_db.as_ref(), dir, "billing.db")?;

        let peer = ("peers.operations", operations.listen.to_string());
        let billing_running = start::<Billing>(&billing, &billing_db, &peer).await?;
        let peer = ("peers.billing", billing.listen.to_string());
        match start::<Operations>(&operations, &operations_db, &peer).await {
            Ok(operations) => Ok(Self {
                operations,
                billing: billing_running,
            }),
            Err(error) => {
                billing_running.shutdown().await;
                Err(error)
            }
        }
    }

    /// Waits until both welcome calls.
    pub(super) async fn ready(&self) {
        tokio::join!(self.operations.ready(), self.billing.ready());
    }

    /// Clients of both; with an identity where the services want one.
    pub(super) fn peers(&self, identity: &IdentityArgs) -> Result<Peers> {
        let args = PeerArgs {
            operations: self.operations.addr().to_string(),
            billing: self.billing.addr().to_string(),
            identity: identity.clone(),
        };
        args.connect()
    }

    /// Waits until one of them has ended.
    pub(super) async fn ended(&self) {
        tokio::select! {
            _ = self.operations.wait() => {}
            _ = self.billing.wait() => {}
        }
    }

    /// Ends both side by side; whether each ended cleanly.
    pub(super) async fn shutdown(&self) -> bool {
        let (operations, billing) =
            tokio::join!(self.operations.shutdown(), self.billing.shutdown());
        operations.clean && billing.clean
    }
}

/// The settings of a service of the pair: the defaults, the environment, and its place.
pub(crate) fn settings<P: Program>(
    listen: &str,
    admin: &str,
    database: &str,
    (peer, url): (&str, &str),
) -> Result<P::Settings, Rejected> {
    P::loader()
        .set("database.migrate", "true")
        .set("telemetry.level", "warn")
        .env()
        .set("host.listen", listen)
        .set("host.admin", admin)
        .set("database.url", database)
        .set(peer, url)
        .load()
}

async fn start<P: Program>(
    addresses: &Addresses,
    database: &str,
    (peer, url): &(&str, String),
) -> Result<Running> {
    let listen = addresses.listen.to_string();
    let settings = settings::<P>(&listen, &addresses.admin, database, (peer, url))?;
    cleave_host::telemetry::init(P::telemetry(&settings));
    P::start(settings)
        .await
        .with_context(|| format!("starting {} on {}", P::NAME, addresses.listen))
}
