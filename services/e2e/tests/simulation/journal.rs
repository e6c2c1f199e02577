//! What happened, in order: every event and every byte on the wire goes into one number, so that two runs
//! can be told apart.

use std::fmt;
use std::hash::{DefaultHasher, Hash as _, Hasher as _};
use std::net::SocketAddr;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

/// What happened.
pub(crate) struct Journal {
    inner: Mutex<Inner>,
}

struct Inner {
    hash: DefaultHasher,
    /// The time outside of hosts.
    now: Duration,
    echo: bool,
    keep: bool,
    kept: Vec<String>,
    broken: Vec<String>,
}

impl Journal {
    /// An empty journal, which prints events as they happen if `echo`, and keeps them if `keep`.
    pub(crate) fn new(echo: bool, keep: bool) -> Self {
        let inner = Inner {
            hash: DefaultHasher::new(),
            now: Duration::ZERO,
            echo,
            keep,
            kept: Vec::new(),
            broken: Vec::new(),
        };
        Self {
            inner: Mutex::new(inner),
        }
    }

    fn inner(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The time for events outside of hosts.
    pub(crate) fn set_now(&self, now: Duration) {
        self.inner().now = now;
    }

    /// The simulated time.
    pub(crate) fn now(&self) -> Duration {
        turmoil::sim_elapsed().unwrap_or_else(|| self.inner().now)
    }

    /// Something happened.
    pub(crate) fn note(&self, who: &str, what: fmt::Arguments<'_>) {
        let now = self.now();
        let mut inner = self.inner();
        let line = format!("{:>9.3} {who:<12} {what}", now.as_secs_f64() * 1e3);
        line.hash(&mut inner.hash);
        if inner.echo {
            println!("{line}");
        }
        if inner.keep {
            inner.kept.push(line);
        }
    }

    /// Bytes went onto the wire.
    pub(crate) fn wire(&self, from: SocketAddr, to: SocketAddr, bytes: &[u8]) {
        let now = self.now();
        let mut inner = self.inner();
        (now, from, to).hash(&mut inner.hash);
        inner.hash.write(bytes);
        if inner.keep {
            let mut content = DefaultHasher::new();
            content.write(bytes);
            let line = format!(
                "{:>9.3} {from} -> {to}: {} bytes, {:016x}",
                now.as_secs_f64() * 1e3,
                bytes.len(),
                content.finish()
            );
            inner.kept.push(line);
        }
    }

    /// A promise was broken.
    pub(crate) fn broke(&self, who: &str, what: impl fmt::Display) {
        self.note(who, format_args!("BROKEN: {what}"));
        let line = format!("at {:?}, {who}: {what}", self.now());
        self.inner().broken.push(line);
    }

    /// The number that stands for the run, what was kept of it, and the promises broken.
    pub(crate) fn close(&self) -> (u64, Vec<String>, Vec<String>) {
        let mut inner = self.inner();
        let hash = inner.hash.finish();
        (
            hash,
            std::mem::take(&mut inner.kept),
            std::mem::take(&mut inner.broken),
        )
    }
}
