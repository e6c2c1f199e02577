//! How many calls to a peer failed, by cause, for the admin port.

use crate::cause::Cause;
use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};

/// How many calls to a peer failed, by cause. Made once, so that a call which does not fail costs nothing here.
#[derive(Debug, Default)]
pub(crate) struct Failures([AtomicU64; Cause::ALL.len()]);

impl Failures {
    /// A call failed.
    pub(super) fn count(&self, cause: Cause) {
        if let Some(failures) = cause.index().and_then(|index| self.0.get(index)) {
            failures.fetch_add(1, Ordering::Relaxed);
        }
    }

    /// The number of each cause that there was.
    pub(crate) fn by_cause(&self) -> BTreeMap<&'static str, u64> {
        let counts = self.0.iter().map(|count| count.load(Ordering::Relaxed));
        let named = Cause::ALL.iter().map(|cause| cause.name()).zip(counts);
        named.filter(|(_, count)| *count > 0).collect()
    }
}
