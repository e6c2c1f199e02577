//! The store: the database, the ledger writer, and the gatherers beside it.

use crate::account::AccountView;
use crate::error::StoreError;
use crate::writer::{Corrections, Decision, Submission, Writer};
use cleave_kernel::{AccountId, SharedClock};
use cleave_storage::{Database, FeedSignal, Gatherer};
use jiff::tz::TimeZone;
use uuid::Uuid;

/// The topic of the change feed whose subjects are accounts.
pub const ACCOUNTS: i16 = 1;

/// Commands that may wait.
const WRITES_WAITING: usize = 4096;
/// Commands in one transaction.
const WRITES_TOGETHER: usize = 256;
/// Reads that may wait.
const READS_WAITING: usize = 16_384;
/// Keys in one query.
const READS_TOGETHER: usize = 256;

/// What the store is told at its start.
#[derive(Clone)]
pub struct StoreOptions {
    /// Tells the time.
    pub clock: SharedClock,
    /// Where accounting months begin and end.
    pub zone: TimeZone,
    /// How long after its end the delivery of a month may be corrected, so that the accounts concerned stay open.
    pub corrections: std::time::Duration,
    /// How often the change feed is polled for what other replicas committed.
    pub poll: std::time::Duration,
}

/// The rows of billing. Clones share everything.
#[derive(Clone)]
pub struct Store {
    database: Database,
    signal: FeedSignal,
    clock: SharedClock,
    zone: TimeZone,
    writes: Gatherer<Submission, Result<Decision, StoreError>>,
    pub(crate) account_reads: Gatherer<AccountId, Result<Option<AccountView>, StoreError>>,
}

impl Store {
    /// Opens the store on a migrated database. Its gatherers run on the current runtime.
    pub fn open(database: Database, options: StoreOptions) -> Self {
        let signal = FeedSignal::spawn(database.clone(), options.poll);
        let writer = Writer {
            database: database.clone(),
            signal: signal.clone(),
            clock: options.clock.clone(),
            corrections: Corrections {
                zone: options.zone.clone(),
                window: options.corrections,
            },
            next_id: Uuid::now_v7,
        };
        let writes = Gatherer::spawn("ledger", WRITES_WAITING, WRITES_TOGETHER, move |batch| {
            let writer = writer.clone();
            async move { writer.run(batch).await }
        });
        let reader = database.clone();
        let account_reads =
            Gatherer::spawn_reads("accounts", READS_WAITING, READS_TOGETHER, move |ids| {
                let reader = reader.clone();
                async move { crate::account::answer(&reader, ids).await }
            });
        Self {
            database,
            signal,
            clock: options.clock,
            zone: options.zone,
            writes,
            account_reads,
        }
    }

    /// Hands a command to the ledger writer and waits for what it decides.
    ///
    /// # Errors
    /// When nothing was decided, or the decision is unknown; never for a refusal.
    pub async fn submit(&self, submission: Submission) -> Result<Decision, StoreError> {
        self.writes.submit(submission).await?
    }

    /// The database.
    pub const fn database(&self) -> &Database {
        &self.database
    }

    /// Tells when the change feed grows.
    pub const fn signal(&self) -> &FeedSignal {
        &self.signal
    }

    /// The clock of this side.
    pub const fn clock(&self) -> &SharedClock {
        &self.clock
    }

    /// Where accounting months begin and end.
    pub const fn zone(&self) -> &TimeZone {
        &self.zone
    }

    /// Answers what waits, then lets go of the database.
    ///
    /// # Errors
    /// When the database cannot be closed.
    pub async fn close(self) -> Result<(), StoreError> {
        self.writes.close().await;
        self.account_reads.close().await;
        Ok(self.database.close().await?)
    }
}
