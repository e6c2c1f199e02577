//! The places for connections.

use super::census::Census;
use crate::meter::ConnectionMetrics;
use std::sync::Arc;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// The places for connections of one service. Clones are the same places.
#[derive(Debug, Clone)]
pub(crate) struct Slots {
    free: Arc<Semaphore>,
    metrics: Arc<ConnectionMetrics>,
    census: Census,
}

/// The place of one connection, free again once dropped.
#[derive(Debug)]
pub(crate) struct Slot {
    _permit: OwnedSemaphorePermit,
    metrics: Arc<ConnectionMetrics>,
    census: Census,
}

impl Slots {
    pub(crate) fn new(service: &str, count: usize) -> Self {
        Self {
            free: Arc::new(Semaphore::new(count.min(Semaphore::MAX_PERMITS))),
            metrics: Arc::new(ConnectionMetrics::new(service)),
            census: Census::default(),
        }
    }

    /// Who is connected.
    pub(crate) fn census(&self) -> &Census {
        &self.census
    }

    /// A place, unless all are taken.
    pub(super) fn take(&self) -> Option<Slot> {
        let Ok(permit) = Arc::clone(&self.free).try_acquire_owned() else {
            self.metrics.refused.increment(1);
            return None;
        };
        self.metrics.open.increment(1);
        Some(Slot {
            _permit: permit,
            metrics: Arc::clone(&self.metrics),
            census: self.census.clone(),
        })
    }
}

impl Slot {
    /// Who is connected.
    pub(super) fn census(&self) -> &Census {
        &self.census
    }

    /// What is recorded of connections.
    pub(super) fn metrics(&self) -> &ConnectionMetrics {
        &self.metrics
    }
}

impl Drop for Slot {
    fn drop(&mut self) {
        self.metrics.open.decrement(1);
    }
}
