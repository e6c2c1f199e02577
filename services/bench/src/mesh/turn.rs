//! What one turn of a caller came to.

use serde::{Deserialize, Serialize};

/// What one turn of a caller came to.
#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
pub(crate) struct Turn {
    /// Calls that were answered.
    pub(crate) calls: u64,
    /// How long it took, in seconds.
    pub(crate) seconds: f64,
    /// The CPU time of the whole caller, in seconds.
    pub(crate) cpu: f64,
}

impl Turn {
    /// Microseconds of CPU for each call.
    pub(crate) fn cpu_us(&self) -> f64 {
        self.cpu * 1e6 / self.count()
    }

    /// Calls per second.
    pub(crate) fn rate(&self) -> f64 {
        self.count() / self.seconds
    }

    fn count(&self) -> f64 {
        f64::from(u32::try_from(self.calls).unwrap_or(u32::MAX)).max(1.0)
    }
}
