//! One business transaction: its statements, its time, and what it has to announce on the change feed.

use std::ops::Deref;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use cleave_kernel::Timestamp;
use cleave_storage::feed::{self, Change};
use cleave_storage::{Database, FeedSignal, Retryable, StorageError, Transaction};
use uuid::Uuid;

use crate::topic::Topic;

/// The database of Operations and the bell that wakes its readers; clones share both.
#[derive(Clone)]
pub struct Store {
    db: Database,
    signal: FeedSignal,
}

/// What the body of a transaction is handed; clones are the same transaction.
#[derive(Clone)]
pub struct Unit(Arc<Inner>);

struct Inner {
    txn: Transaction,
    now: Timestamp,
    changes: Mutex<Vec<Change>>,
}

impl Store {
    /// The store on a database that was migrated, which is asked every `poll` for what other processes committed.
    /// To be made within the runtime that outlives its readers.
    pub fn new(db: Database, poll: Duration) -> Self {
        let signal = FeedSignal::spawn(db.clone(), poll);
        Self { db, signal }
    }

    /// The database, for reads.
    pub const fn db(&self) -> &Database {
        &self.db
    }

    /// Tells when the feed grows.
    pub const fn signal(&self) -> &FeedSignal {
        &self.signal
    }

    /// Runs `body` in a transaction. What it noted is appended to the change feed last, so that the feed's lock
    /// is held for the shortest time, and announced after the commit. Contention runs `body` again.
    ///
    /// # Errors
    /// Those of `body`, which leave no effect, and those of the database.
    pub async fn write<T, E, F, Fut>(
        &self,
        name: &'static str,
        now: Timestamp,
        body: F,
    ) -> Result<T, E>
    where
        F: Fn(Unit) -> Fut,
        Fut: Future<Output = Result<T, E>>,
        E: From<StorageError> + Retryable,
    {
        let body = &body;
        let (value, seq) = self
            .db
            .transaction(name, |txn| async move {
                let unit = Unit(Arc::new(Inner {
                    txn,
                    now,
                    changes: Mutex::default(),
                }));
                let value = body(unit.clone()).await?;
                Ok::<_, E>((value, unit.announce().await?))
            })
            .await?;
        if let Some(seq) = seq {
            self.signal.committed(seq);
        }
        Ok(value)
    }
}

impl Unit {
    /// The time of the transaction.
    pub fn now(&self) -> Timestamp {
        self.0.now
    }

    /// Notes that `subject` changed.
    pub fn note(&self, topic: Topic, subject: Uuid) {
        self.changes().push(topic.change(subject));
    }

    /// Whether anything was noted, and so written.
    pub fn has_written(&self) -> bool {
        !self.changes().is_empty()
    }

    async fn announce(&self) -> Result<Option<i64>, StorageError> {
        let changes = std::mem::take(&mut *self.changes());
        if changes.is_empty() {
            return Ok(None);
        }
        feed::append(&self.0.txn, self.0.now, &changes)
            .await
            .map(Some)
    }

    fn changes(&self) -> MutexGuard<'_, Vec<Change>> {
        // A panic between two pushes cannot leave the list half made.
        self.0
            .changes
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }
}

impl Deref for Unit {
    type Target = Transaction;

    fn deref(&self) -> &Transaction {
        &self.0.txn
    }
}
