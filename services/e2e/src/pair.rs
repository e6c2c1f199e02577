//! Operations and Billing side by side, each with a database of its own.

use crate::Process;
use anyhow::Result;
use billing_client::BillingClient;
use cleave_storage::testing::TestDatabase;
use operations_client::OperationsClient;
use std::path::Path;
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
