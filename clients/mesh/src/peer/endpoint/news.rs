//! What becomes of a replica.

use super::super::breaker::{Change, Outcome};
use super::super::connection::Connection;
use super::super::dial_error::DialError;
use super::Endpoint;
use crate::metrics::Reason;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use tokio::time::Instant;

impl Endpoint {
    /// A connection was made.
    pub(in crate::peer) fn connected(&self, connection: &Arc<Connection>) {
        let first = self.connections.add(connection);
        self.shared.meter.connected();
        self.failing.store(false, Ordering::Relaxed);
        if first {
            // Whoever listens is not on its way out any more.
            self.draining.store(false, Ordering::Relaxed);
            // Nor need it be as slow as what was there before, or as the silence that ended with it.
            self.load.reset(self.shared.seed(), Instant::now());
            let unknown = self.shared.tuning.watch_health;
            self.serving.store(!unknown, Ordering::Relaxed);
        }
        self.shared.change();
    }

    /// A connection takes no further calls.
    pub(in crate::peer) fn disconnected(&self, connection: &Arc<Connection>, reason: Reason) {
        self.connections.remove(connection);
        self.shared.meter.disconnected(reason);
        self.shared.change();
    }

    /// A connection is to be replaced: at once while it is in use, else when it is next needed.
    pub(in crate::peer) fn outdated(&self, connection: &Connection) {
        connection.outdate();
        if self.is_in_use() {
            self.wanted.notify_one();
        } else {
            connection.close();
        }
    }

    /// It ended a connection because it had been pinged too often.
    pub(in crate::peer) fn pinged_too_often(&self, connection: &Connection) {
        self.keepalive.too_many(connection.pings());
        tracing::warn!(
            rpc.peer = &*self.shared.peer,
            endpoint = &*self.address,
            interval = ?self.keepalive.pings().interval,
            "a replica was pinged too often; it is pinged less often now"
        );
    }

    /// No connection could be made.
    pub(in crate::peer) fn dial_failed(&self, error: DialError) {
        *self.error() = Some(error);
        self.shared.meter.dial_failed();
        let now = self.shared.millis(Instant::now());
        self.failed_at.store(now, Ordering::Relaxed);
        self.failing.store(true, Ordering::Relaxed);
        self.shared.doubted.notify_one();
        self.shared.change();
    }

    /// What its health service says.
    pub(in crate::peer) fn health(&self, serving: bool) {
        if self.serving.swap(serving, Ordering::Relaxed) != serving {
            tracing::info!(
                rpc.peer = &*self.shared.peer,
                endpoint = &*self.address,
                serving,
                "health of a replica changed"
            );
            self.shared.change();
        }
    }

    /// It said with an answer that it is on its way out.
    pub(in crate::peer) fn hint_draining(&self) {
        self.draining.store(true, Ordering::Relaxed);
    }

    /// A call ended so.
    pub(in crate::peer) fn finished(&self, outcome: Outcome, probe: bool) {
        if outcome == Outcome::Bad {
            self.failures.fetch_add(1, Ordering::Relaxed);
        }
        let now = Instant::now();
        match self.breaker.record(outcome, probe, now) {
            None => return,
            Some(Change::Ejected(why)) => {
                self.shared.meter.ejected(why);
                self.ejections.fetch_add(1, Ordering::Relaxed);
                tracing::warn!(
                    rpc.peer = &*self.shared.peer,
                    endpoint = &*self.address,
                    "replica ejected"
                );
            }
            Some(Change::Readmitted) => {
                self.shared.meter.readmitted();
                self.load.reset(self.shared.seed(), now);
                tracing::info!(
                    rpc.peer = &*self.shared.peer,
                    endpoint = &*self.address,
                    "replica readmitted"
                );
            }
        }
        self.shared.change();
    }
}
