//! What is known about the connection of a lane.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

/// What is known about the connection of a lane.
#[derive(Debug, Default)]
pub(crate) struct Session {
    /// What the server calls the connection: the number of a process or of a thread; 0 before there is one.
    backend: AtomicU64,
    /// For SQLite, which has no server: its statements look here every so often and end when it is set.
    cut: AtomicBool,
    /// A transaction was asked for, and nobody has heard that it began.
    beginning: AtomicBool,
}

impl Session {
    /// The connection is a new one.
    pub(crate) fn opened(&self, backend: u64) {
        self.backend.store(backend, Ordering::Release);
    }

    /// Whether what runs must end.
    pub(crate) fn is_cut(&self) -> bool {
        self.cut.load(Ordering::Acquire)
    }

    /// A transaction is asked for.
    pub(super) fn begins(&self) {
        self.beginning.store(true, Ordering::Release);
    }

    /// The answer to that was heard.
    pub(super) fn begun(&self) {
        self.beginning.store(false, Ordering::Release);
    }

    /// Whether there may be a transaction that the driver does not know of.
    pub(super) fn is_in_doubt(&self) -> bool {
        self.beginning.load(Ordering::Acquire)
    }

    pub(super) fn backend(&self) -> Option<u64> {
        match self.backend.load(Ordering::Acquire) {
            0 => None,
            backend => Some(backend),
        }
    }

    pub(super) fn cut(&self) {
        self.cut.store(true, Ordering::Release);
    }

    pub(super) fn mend(&self) {
        self.cut.store(false, Ordering::Release);
        self.begun();
    }
}
