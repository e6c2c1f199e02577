//! When Operations was last heard on the delivery stream, as this process knows it: most heartbeats are not
//! worth a transaction, so the database knows less.

use cleave_kernel::Timestamp;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

/// Clones are the same.
#[derive(Debug, Clone)]
pub(crate) struct Heard(Arc<AtomicI64>);

impl Heard {
    /// Not heard yet; the time counts from `now`.
    pub(crate) fn new(now: Timestamp) -> Self {
        Self(Arc::new(AtomicI64::new(now.micros())))
    }

    /// By what was heard, this was the time there.
    pub(super) fn at(&self, as_of: Timestamp) {
        self.0.store(as_of.micros(), Ordering::Relaxed);
    }

    /// The last such time.
    pub(super) fn last(&self) -> Timestamp {
        Timestamp::from_micros(self.0.load(Ordering::Relaxed))
    }
}
