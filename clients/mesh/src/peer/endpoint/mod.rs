//! One replica: its connections, its state, and what is known of it.

mod news;

use super::breaker::Breaker;
use super::connection::Stream;
use super::dial_error::DialError;
use super::keepalive::Keepalive;
use super::load::Load;
use super::pool::{Pool, Room};
use super::shared::Shared;
use crate::contract::{ContractState, Prospect};
use crate::policy::MethodPolicy;
use http::uri::Scheme;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tokio::sync::Notify;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

/// How willingly a replica is chosen, from best to worst.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Rank {
    /// Nothing speaks against it.
    Good,
    /// It says itself that it does not serve: not yet, or not any more.
    Unwilling,
    /// Its failures added up.
    Ejected,
}

/// One replica.
#[derive(Debug)]
pub(super) struct Endpoint {
    /// What is dialed, `HOST:PORT`.
    pub(super) address: Arc<str>,
    /// What requests name as their authority.
    pub(super) authority: http::uri::Authority,
    pub(super) load: Load,
    pub(super) breaker: Breaker,
    pub(super) keepalive: Keepalive,
    pub(super) stop: CancellationToken,
    /// A connection, or another one, is wanted.
    pub(super) wanted: Notify,
    /// Calls fail for want of a connection.
    pub(super) demanded: Notify,
    pub(super) shared: Arc<Shared>,
    connections: Pool,
    /// Its own health service says that it serves, or does not exist.
    serving: AtomicBool,
    /// It said with an answer that it is on its way out.
    draining: AtomicBool,
    /// The last attempt to connect failed.
    failing: AtomicBool,
    /// When it did.
    failed_at: AtomicU64,
    last_error: Mutex<Option<DialError>>,
    last_used: AtomicU64,
    calls: AtomicU64,
    failures: AtomicU64,
    ejections: AtomicU64,
}

impl Endpoint {
    /// A replica that nothing is known of.
    pub(super) fn new(
        address: Arc<str>,
        authority: http::uri::Authority,
        shared: Arc<Shared>,
        stop: CancellationToken,
    ) -> Self {
        let tuning = &shared.tuning;
        Self {
            address,
            authority,
            load: Load::new(shared.seed(), tuning.decay),
            breaker: Breaker::new(tuning.first_ejection, tuning.max_ejection),
            keepalive: Keepalive::new(tuning.keepalive_interval),
            stop,
            wanted: Notify::new(),
            demanded: Notify::new(),
            connections: Pool::default(),
            serving: AtomicBool::new(!tuning.watch_health),
            draining: AtomicBool::new(false),
            failing: AtomicBool::new(false),
            failed_at: AtomicU64::new(0),
            last_error: Mutex::new(None),
            last_used: AtomicU64::new(0),
            calls: AtomicU64::new(0),
            failures: AtomicU64::new(0),
            ejections: AtomicU64::new(0),
            shared,
        }
    }

    /// What requests name as their scheme.
    pub(super) fn scheme(&self) -> Scheme {
        if self.shared.way.secure {
            Scheme::HTTPS
        } else {
            Scheme::HTTP
        }
    }

    /// How willingly it is chosen, connected or not.
    pub(super) fn rank(&self) -> Rank {
        if self.breaker.is_ejected() {
            Rank::Ejected
        } else if !self.serving.load(Ordering::Relaxed) || self.draining.load(Ordering::Relaxed) {
            Rank::Unwilling
        } else {
            Rank::Good
        }
    }

    /// What may be expected of a call of the method when a stream for it can be had at once. Asks for a
    /// connection when there is none, and for another one when the streams of all are taken.
    pub(super) fn room_for(&self, method: Option<usize>) -> Option<Prospect> {
        match self.connections.room_for(method) {
            Room::For(prospect) => return Some(prospect),
            Room::ForOthers => {}
            Room::None => self.wanted.notify_one(),
        }
        None
    }

    /// Takes a stream for the method on the connection that has the fewest.
    pub(super) fn take(&self, method: Option<usize>, now: Instant) -> Option<Stream> {
        let stream = self.connections.take(method)?;
        self.last_used
            .store(self.shared.millis(now), Ordering::Relaxed);
        self.calls.fetch_add(1, Ordering::Relaxed);
        Some(stream)
    }

    /// Whether a call was made recently enough to keep a connection for the next one.
    pub(super) fn is_in_use(&self) -> bool {
        let used = self.last_used.load(Ordering::Relaxed);
        let idle = self.shared.millis(Instant::now()).saturating_sub(used);
        Duration::from_millis(idle) < self.shared.tuning.idle_after
    }

    /// Whether the driver should make a connection: there is none to stay, or all are full and more are
    /// allowed.
    pub(super) fn lacks_connection(&self) -> bool {
        self.connections.lacks(self.shared.tuning.max_connections)
    }

    /// Whether calls may wait for it: the last attempt to connect did not fail.
    pub(super) fn is_hopeful(&self) -> bool {
        !self.failing.load(Ordering::Relaxed) && !self.stop.is_cancelled()
    }

    /// Whether a call that asked at `since` may yet see an attempt to connect: the last one failed before,
    /// and was told so at once. Silence is waited for by nobody twice.
    pub(super) fn is_worth_a_try(&self, since: Instant) -> bool {
        let fast = !matches!(*self.error(), Some(DialError::Slow));
        let before = self.failed_at.load(Ordering::Relaxed) <= self.shared.millis(since);
        fast && before && !self.stop.is_cancelled()
    }

    /// Whether it has a connection.
    pub(super) fn is_connected(&self) -> bool {
        self.connections.is_open()
    }

    /// Whether it has a connection on which the method may be called.
    pub(super) fn takes(&self, method: Option<usize>) -> bool {
        self.connections.takes(method)
    }

    /// Where and why the method may not be called.
    pub(super) fn refusal(&self, method: &MethodPolicy) -> Option<String> {
        let why = self.connections.newest()?.judgement().refusal(method)?;
        Some(format!("{}: {why}", self.address))
    }

    /// How the contract looks that it served last.
    pub(super) fn contract(&self) -> Option<ContractState> {
        let newest = self.connections.newest()?;
        Some(newest.judgement().state().clone())
    }

    /// Why the last attempt to connect failed.
    pub(super) fn last_error(&self) -> Option<DialError> {
        self.error().clone()
    }

    /// Calls sent to it, and how many of them failed.
    pub(super) fn counts(&self) -> (u64, u64) {
        let of = |count: &AtomicU64| count.load(Ordering::Relaxed);
        (of(&self.calls), of(&self.failures))
    }

    /// How often its failures added up.
    pub(super) fn ejections(&self) -> u64 {
        self.ejections.load(Ordering::Relaxed)
    }

    /// One word for the admin port.
    pub(super) fn state(&self) -> &'static str {
        let draining = self.draining.load(Ordering::Relaxed) || self.stop.is_cancelled();
        match (self.is_connected(), self.breaker.is_ejected()) {
            _ if draining => "draining",
            (true, true) => "ejected",
            (true, false) if !self.serving.load(Ordering::Relaxed) => "not serving",
            (true, false) => "ready",
            (false, _) if self.failing.load(Ordering::Relaxed) => "unreachable",
            (false, _) => "idle",
        }
    }

    /// The number of its connections.
    pub(super) fn connections(&self) -> usize {
        self.connections.len()
    }

    fn error(&self) -> std::sync::MutexGuard<'_, Option<DialError>> {
        self.last_error
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Endpoint {
    fn drop(&mut self) {
        if self.breaker.is_ejected() {
            self.shared.meter.forgotten();
        }
    }
}
