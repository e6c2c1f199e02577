//! The connections to one replica.

use super::connection::{Connection, Stream};
use arc_swap::ArcSwap;
use std::sync::Arc;

/// The connections to one replica.
#[derive(Debug, Default)]
pub(super) struct Pool(ArcSwap<Vec<Arc<Connection>>>);

impl Pool {
    /// Whether a stream can be had at once.
    pub(super) fn has_room(&self) -> bool {
        self.0.load().iter().any(|one| one.has_room())
    }

    /// Takes a stream on the connection that has the fewest.
    pub(super) fn take(&self) -> Option<Stream> {
        let connections = self.0.load();
        let open = connections.iter().filter(|one| one.has_room());
        open.min_by_key(|one| one.taken())?.take()
    }

    /// Whether another connection should be made: there is none to stay, or all of those are full, and
    /// `most` allows it.
    pub(super) fn lacks(&self, most: usize) -> bool {
        let connections = self.0.load();
        let stay = || connections.iter().filter(|one| !one.is_outdated());
        stay().count() < most && !stay().any(|one| one.has_room())
    }

    /// Whether one of them is open.
    pub(super) fn is_open(&self) -> bool {
        self.0.load().iter().any(|one| one.is_open())
    }

    /// How many there are.
    pub(super) fn len(&self) -> usize {
        self.0.load().len()
    }

    /// Another one stands: those that waited for it take no further calls. Whether it is the only one.
    pub(super) fn add(&self, connection: &Arc<Connection>) -> bool {
        let before = self.0.rcu(|old| {
            let stay = old.iter().filter(|one| !one.is_outdated());
            let new = stay.chain([connection]);
            new.cloned().collect::<Vec<_>>()
        });
        for outdated in before.iter().filter(|one| one.is_outdated()) {
            outdated.close();
        }
        before.is_empty()
    }

    /// One of them takes no further calls.
    pub(super) fn remove(&self, connection: &Arc<Connection>) {
        connection.close();
        self.0.rcu(|old| {
            let others = old.iter().filter(|one| !Arc::ptr_eq(one, connection));
            others.cloned().collect::<Vec<_>>()
        });
    }
}
