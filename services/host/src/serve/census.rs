//! Who is connected, and on the strength of what: for the admin port.

use super::origin::{Identity, Proof};
use serde::Serialize;
use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Instant;

/// The admin port shows no more connections than these, the oldest first.
const SHOWN: usize = 256;

/// The open connections. Clones are the same list.
#[derive(Debug, Clone, Default)]
pub(crate) struct Census(Arc<Mutex<Book>>);

#[derive(Debug, Default)]
struct Book {
    next: u64,
    entries: BTreeMap<u64, Entry>,
}

#[derive(Debug)]
struct Entry {
    remote: Option<SocketAddr>,
    identity: Identity,
    proof: Option<Proof>,
    since: Instant,
}

/// One open connection, as it is shown.
#[derive(Debug, Serialize)]
pub(crate) struct Connected {
    remote: Option<SocketAddr>,
    /// The workload that proved to be at the other end.
    caller: Option<Arc<str>>,
    /// The SHA-256 of its certificate.
    certificate: Option<String>,
    /// The generation of the own credentials that the connection was made by.
    generation: Option<u64>,
    age_ms: u64,
}

/// A connection's place in the list; gone when dropped.
#[derive(Debug)]
pub(super) struct Listed {
    census: Census,
    number: u64,
}

impl Census {
    /// A connection has been made.
    pub(super) fn enter(
        &self,
        remote: Option<SocketAddr>,
        identity: Identity,
        proof: Option<Proof>,
    ) -> Listed {
        let mut book = self.book();
        let number = book.next;
        book.next += 1;
        let entry = Entry {
            remote,
            identity,
            proof,
            since: Instant::now(),
        };
        book.entries.insert(number, entry);
        Listed {
            census: self.clone(),
            number,
        }
    }

    /// The connections that have been open longest.
    pub(crate) fn oldest(&self) -> Vec<Connected> {
        let book = self.book();
        let oldest = book.entries.values().take(SHOWN);
        oldest.map(Connected::of).collect()
    }

    fn book(&self) -> MutexGuard<'_, Book> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Connected {
    fn of(entry: &Entry) -> Self {
        let proof = entry.proof.as_ref();
        Self {
            remote: entry.remote,
            caller: match &entry.identity {
                Identity::Workload(name) => Some(Arc::clone(name)),
                Identity::Believed | Identity::Anonymous => None,
            },
            certificate: proof.and_then(Proof::certificate),
            generation: proof.map(|proof| proof.generation),
            age_ms: u64::try_from(entry.since.elapsed().as_millis()).unwrap_or(u64::MAX),
        }
    }
}

impl Drop for Listed {
    fn drop(&mut self) {
        self.census.book().entries.remove(&self.number);
    }
}
