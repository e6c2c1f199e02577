//! The connections to one replica.

use super::connection::{Connection, Stream};
use crate::contract::Prospect;
use arc_swap::ArcSwap;
use std::sync::Arc;

/// Whether a stream for a method can be had at once.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Room {
    /// It can, and this may be expected of it.
    For(Prospect),
    /// Only for methods that the replica understands.
    ForOthers,
    /// For no method.
    None,
}

/// The connections to one replica.
#[derive(Debug, Default)]
pub(super) struct Pool(ArcSwap<Vec<Arc<Connection>>>);

impl Pool {
    /// Whether a stream for the method can be had at once.
    pub(super) fn room_for(&self, method: Option<usize>) -> Room {
        let mut room = Room::None;
        for connection in self.0.load().iter().filter(|one| one.has_room()) {
            match connection.judgement().prospect(method) {
                Prospect::Refused => room = Room::ForOthers,
                prospect => return Room::For(prospect),
            }
        }
        room
    }

    /// Takes a stream for the method on the connection that has the fewest.
    pub(super) fn take(&self, method: Option<usize>) -> Option<Stream> {
        let connections = self.0.load();
        let open = (connections.iter()).filter(|one| one.has_room() && one.takes(method));
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

    /// Whether the method may be called on one of them.
    pub(super) fn takes(&self, method: Option<usize>) -> bool {
        let connections = self.0.load();
        (connections.iter()).any(|one| one.is_open() && one.takes(method))
    }

    /// The one that was made last.
    pub(super) fn newest(&self) -> Option<Arc<Connection>> {
        self.0.load().last().cloned()
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
