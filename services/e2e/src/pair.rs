//! Operations and Billing side by side, each with a database of its own.

use crate::Process;
use crate::identities::{Authority, Identity};
use anyhow::Result;
use billing_client::BillingClient;
use cleave_storage::testing::TestDatabase;
use operations_client::OperationsClient;
use std::path::Path;
use std::sync::Arc;
use tempfile::TempDir;

pub use cleave_storage::Engine;

/// Both services, wired to each other, and typed clients of both.
pub struct Pair {
    /// The Operations process.
    pub operations: Process,
    /// The Billing process.
    pub billing: Process,
    /// The database of Operations.
    pub operations_db: TestDatabase,
    /// The database of Billing.
    pub billing_db: TestDatabase,
    // Holds the logs until the test is over.
    _folder: TempDir,
}

/// Who the two of a pair are.
#[derive(Debug, Clone)]
pub struct Identities {
    /// The files of Operations.
    pub operations: Arc<Identity>,
    /// The files of Billing.
    pub billing: Arc<Identity>,
}

/// The binaries of both services, whose places only a test of this package is told.
#[derive(Debug, Clone, Copy)]
pub struct Programs<'a> {
    /// The Operations binary.
    pub operations: &'a Path,
    /// The Billing binary.
    pub billing: &'a Path,
}

impl Pair {
    /// Both services on fresh databases of `engine`, not started yet; `None` where that engine is not at hand.
    ///
    /// # Errors
    /// When no ports or folders are to be had.
    pub async fn new(engine: Engine, programs: Programs<'_>) -> Result<Option<Self>> {
        let Some(operations_db) = TestDatabase::on(engine).await else {
            return Ok(None);
        };
        let Some(billing_db) = TestDatabase::on(engine).await else {
            return Ok(None);
        };
        let folder = tempfile::tempdir()?;
        let mut operations = Process::new(programs.operations, "operations", folder.path())?;
        let mut billing = Process::new(programs.billing, "billing", folder.path())?;
        operations.set("database.url", operations_db.url());
        operations.set("peers.billing", format!("http://{}", billing.addr()));
        billing.set("database.url", billing_db.url());
        billing.set("peers.operations", format!("http://{}", operations.addr()));
        for process in [&mut operations, &mut billing] {
            process.set("database.migrate", "true");
        }
        Ok(Some(Self {
            operations,
            billing,
            operations_db,
            billing_db,
            _folder: folder,
        }))
    }

    /// Gives both an identity, for their next start: each proves to the other who it is.
    ///
    /// # Errors
    /// When the files cannot be made.
    pub fn identify(&mut self, authority: &Authority) -> Result<Identities> {
        let identities = Identities {
            operations: Arc::new(Identity::new(authority, "operations")?),
            billing: Arc::new(Identity::new(authority, "billing")?),
        };
        self.operations.identify(&identities.operations);
        self.billing.identify(&identities.billing);
        let (operations, billing) = (self.operations.addr(), self.billing.addr());
        self.operations.set("peers.billing", billing.to_string());
        self.billing.set("peers.operations", operations.to_string());
        Ok(identities)
    }

    /// Starts both and waits until both serve.
    ///
    /// # Errors
    /// When one does not.
    pub async fn start(&mut self) -> Result<()> {
        self.operations.spawn()?;
        self.billing.spawn()?;
        self.operations.serving().await?;
        self.billing.serving().await
    }

    /// A typed client of Operations.
    ///
    /// # Errors
    /// When the address cannot be dialled at all.
    pub fn operations_client(&self) -> Result<OperationsClient> {
        Ok(OperationsClient::new(self.operations.channel()?))
    }

    /// A typed client of Billing.
    ///
    /// # Errors
    /// When the address cannot be dialled at all.
    pub fn billing_client(&self) -> Result<BillingClient> {
        Ok(BillingClient::new(self.billing.channel()?))
    }
}
