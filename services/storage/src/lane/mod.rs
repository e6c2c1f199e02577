//! Lanes: a connection each, so that what runs on it can be named to the server and cut off.
//!
//! A future that is dropped, because its call's deadline has passed or its caller has gone, leaves its statement running on the
//! server, and no driver ends it. So work is not done on any connection of a pool: it leases a lane, which knows what
//! the server calls its connection, and a lease that is dropped before it was finished has its lane cut ([`cut`])
//! before anybody else gets it. A lane that finishes costs a queue's lock and nothing on the wire.

mod cut;
mod queue;
mod reader;
mod session;

pub(crate) use cut::Cutter;
pub(crate) use queue::Queue;
pub use reader::Reader;
pub(crate) use session::Session;

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use sea_orm::{
    ConnAcquireErr, DatabaseConnection, DatabaseTransaction, DbErr, TransactionOptions,
    TransactionTrait as _,
};
use tokio::sync::{Semaphore, SemaphorePermit};

use crate::StorageError;

/// One connection, opened when it is first needed and again when it was lost.
pub(crate) struct Lane {
    /// A pool of one.
    connection: DatabaseConnection,
    reader: Reader,
    session: Arc<Session>,
}

impl Lane {
    /// `connection` must be a pool of at most one, which tells `session` what it opens.
    pub(crate) fn new(connection: DatabaseConnection, session: Arc<Session>) -> Self {
        Self {
            reader: Reader::new(connection.clone()),
            connection,
            session,
        }
    }

    /// Begins a transaction. Whether one did is in doubt until that was heard: the driver counts it only then.
    pub(crate) async fn begin(
        &self,
        options: TransactionOptions,
    ) -> Result<DatabaseTransaction, DbErr> {
        self.session.begins();
        let begun = self.connection.begin_with_options(options).await;
        self.session.begun();
        begun
    }

    /// What single statements run on.
    pub(crate) const fn reader(&self) -> &Reader {
        &self.reader
    }
}

/// Lanes that stand in for each other.
pub(crate) struct Lanes {
    lanes: Box<[Lane]>,
    free: Mutex<Free>,
    /// As many permits as there are free lanes; whoever waits for one waits in order.
    places: Semaphore,
    patience: Duration,
    cutter: Cutter,
    queue: Queue,
}

/// The lanes that nobody leases.
struct Free {
    /// Were in use; the one that has rested longest comes first, because the driver still tidies up the last.
    warm: VecDeque<usize>,
    /// Were never used, so that each of them costs a new connection.
    cold: Vec<usize>,
}

impl Lanes {
    /// Nobody waits for a lane longer than `patience`.
    pub(crate) fn new(lanes: Vec<Lane>, patience: Duration, cutter: Cutter) -> Arc<Self> {
        Arc::new(Self {
            free: Mutex::new(Free {
                warm: VecDeque::with_capacity(lanes.len()),
                cold: (0..lanes.len()).rev().collect(),
            }),
            places: Semaphore::new(lanes.len()),
            lanes: lanes.into(),
            patience,
            cutter,
            queue: Queue::default(),
        })
    }

    /// Waits for a lane.
    pub(crate) async fn lease(self: &Arc<Self>) -> Result<Lease<'_>, StorageError> {
        let permit = match self.places.try_acquire() {
            Ok(permit) => permit,
            Err(_) => self.wait().await?,
        };
        permit.forget();
        let mut free = self.free();
        let index = free.warm.pop_front().or_else(|| free.cold.pop());
        drop(free);
        Ok(Lease {
            lanes: self,
            // There is a free lane for each permit.
            index: index.ok_or_else(|| unavailable(ConnAcquireErr::Timeout))?,
            finished: false,
        })
    }

    /// Waits in the queue for a lane.
    async fn wait(&self) -> Result<SemaphorePermit<'_>, StorageError> {
        let _place = self.queue.join();
        match tokio::time::timeout(self.patience, self.places.acquire()).await {
            Ok(permit) => permit.map_err(|_| unavailable(ConnAcquireErr::ConnectionClosed)),
            Err(_) => {
                self.queue.lost_patience();
                Err(unavailable(ConnAcquireErr::Timeout))
            }
        }
    }

    /// How many lanes there are, and how many of them are leased.
    pub(crate) fn use_now(&self) -> (usize, usize) {
        let all = self.lanes.len();
        (all, all.saturating_sub(self.places.available_permits()))
    }

    /// What became of those who had to wait for a lane.
    pub(crate) const fn queue(&self) -> &Queue {
        &self.queue
    }

    /// Gives no more lanes and closes each when its work has ended.
    pub(crate) async fn close(&self) -> Result<(), StorageError> {
        self.places.close();
        for lane in &self.lanes {
            lane.connection.close_by_ref().await?;
        }
        Ok(())
    }

    fn give_back(&self, index: usize) {
        self.free().warm.push_back(index);
        self.places.add_permits(1);
    }

    fn free(&self) -> MutexGuard<'_, Free> {
        self.free.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The use of a lane. Dropped unfinished, it has what still runs there cut off.
pub(crate) struct Lease<'a> {
    lanes: &'a Arc<Lanes>,
    index: usize,
    finished: bool,
}

impl<'a> Lease<'a> {
    pub(crate) fn lane(&self) -> &'a Lane {
        &self.lanes.lanes[self.index]
    }

    /// Ends the use of a lane on which nothing runs any more.
    pub(crate) fn finish(mut self) {
        self.finished = true;
        self.lane().reader.release();
        self.lanes.give_back(self.index);
    }
}

impl Drop for Lease<'_> {
    fn drop(&mut self) {
        if !self.finished {
            self.lane().session.cut();
            self.lane().reader.release();
            self.lanes.cutter.cut(Arc::clone(self.lanes), self.index);
        }
    }
}

fn unavailable(cause: ConnAcquireErr) -> StorageError {
    DbErr::ConnectionAcquire(cause).into()
}
