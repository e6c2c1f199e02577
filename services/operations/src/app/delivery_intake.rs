//! Takes reports in: batches of all streams that arrive while a transaction runs form the next one.

use std::sync::Arc;

use cleave_storage::{Gatherer, StorageError};
use operations_store::delivery::{Batch, BatchOutcome, KnownReferences, ingest};
use tokio::sync::Semaphore;

use super::{App, Error};

/// Most batches of one transaction.
const BATCHES_AT_ONCE: usize = 8;
/// Batches that may wait; further ones wait at their streams, which are then not read on.
const WAITING: usize = 32;

/// Where batches go. Clones share the queue.
#[derive(Clone)]
pub struct DeliveryIntake {
    gatherer: Gatherer<Batch, Result<BatchOutcome, StorageError>>,
    permits: Arc<Semaphore>,
}

impl DeliveryIntake {
    /// Starts it on the present runtime.
    pub fn spawn(app: App) -> Self {
        let known = Arc::new(KnownReferences::default());
        let run = move |batches: Vec<Batch>| {
            let (app, known) = (app.clone(), Arc::clone(&known));
            async move { run(&app, &known, batches).await }
        };
        Self {
            gatherer: Gatherer::spawn("delivery", WAITING, BATCHES_AT_ONCE, run),
            permits: Arc::new(Semaphore::new(WAITING)),
        }
    }

    /// Stores a batch. Waits while too many do, so that whoever sends is slowed down instead of refused.
    ///
    /// # Errors
    /// When the database fails, or the service is going away.
    pub async fn take(&self, batch: Batch) -> Result<BatchOutcome, Error> {
        let _permit = self
            .permits
            .acquire()
            .await
            .map_err(|_| Error::ShuttingDown)?;
        Ok(self.gatherer.submit(batch).await??)
    }

    /// Stores what waits and takes no more.
    pub async fn close(&self) {
        self.gatherer.close().await;
    }
}

async fn run(
    app: &App,
    known: &KnownReferences,
    batches: Vec<Batch>,
) -> Vec<Result<BatchOutcome, StorageError>> {
    let now = app.clock().now();
    match ingest(app.store(), known, &batches, app.zone(), now).await {
        Ok(outcomes) => {
            count(&outcomes);
            outcomes.into_iter().map(Ok).collect()
        }
        Err(error) => batches.iter().map(|_| Err(error.clone())).collect(),
    }
}

fn count(outcomes: &[BatchOutcome]) {
    let sum = |of: fn(&BatchOutcome) -> i64| {
        let total: i64 = outcomes.iter().map(of).sum();
        u64::try_from(total).unwrap_or(0)
    };
    let counts = [
        ("inserted", sum(|outcome| outcome.inserted)),
        ("updated", sum(|outcome| outcome.updated)),
        ("stale", sum(|outcome| outcome.stale)),
        (
            "rejected",
            sum(|outcome| i64::try_from(outcome.refused.len()).unwrap_or(i64::MAX)),
        ),
    ];
    for (outcome, rows) in counts {
        metrics::counter!("operations_delivery_rows_total", "outcome" => outcome).increment(rows);
    }
}
