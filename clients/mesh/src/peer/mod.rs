//! The replicas of one peer.
//!
//! The seam behind which discovery, balancing and the connections themselves live: a call takes a
//! [`Ticket`] to one replica and sends its request there.

mod breaker;
mod connect;
mod connection;
mod contract;
mod dial_error;
mod dialer;
mod discovery;
mod dns;
mod endpoint;
mod follow;
mod frames;
mod health;
mod keepalive;
mod load;
mod pick;
mod plain;
mod pool;
mod record;
mod secure;
mod send;
mod shared;
mod state;
mod target;
mod ticket;
mod way;

pub use connect::{BoxIo, Connect, Io};
pub use discovery::{Resolve, ResolveError, Resolved};
pub use state::ReplicaState;
pub use target::MeshError;

#[cfg(test)]
pub(crate) use frames::{FrameSpy, Word};
#[cfg(test)]
pub(crate) use health::next as next_health;
pub(crate) use pick::Wish;
pub(crate) use send::{Lost, Sent};
pub(crate) use target::Target;
pub(crate) use ticket::{Mark, Ticket};
pub(crate) use way::{Way, Ways};

use crate::cause::Cause;
use crate::chain::Hop;
use crate::deadline::Deadline;
use crate::metrics::Pick;
use crate::policy::PolicyTable;
use crate::tuning::Tuning;
use breaker::Outcome as Ending;
use dial_error::DialError;
use discovery::Members;
use shared::Shared;
use std::pin::pin;
use std::sync::Arc;
use tokio::time::Instant;
use tokio_util::sync::{CancellationToken, DropGuard};
use tonic::{Code, Status};

/// The replicas of one peer.
#[derive(Debug)]
pub(crate) struct Peer {
    members: Arc<Members>,
    _stop: DropGuard,
}

impl Peer {
    /// Prepares for calls to the peer; no connection is made yet. Must run on the runtime that is to
    /// drive the connections.
    pub(crate) fn new(
        name: &Arc<str>,
        target: Target,
        policies: PolicyTable,
        tuning: &Tuning,
        way: Way,
        hop: Hop,
    ) -> Self {
        let shared = Arc::new(Shared::new(
            Arc::clone(name),
            policies,
            tuning.clone(),
            way,
            hop,
            tokio::runtime::Handle::current(),
        ));
        let stop = CancellationToken::new();
        let members = Arc::new(Members::new(shared, stop.clone()));
        target.follow(&members, stop.clone());
        Self {
            members,
            _stop: stop.drop_guard(),
        }
    }

    /// The name by which services know it.
    pub(crate) fn name(&self) -> &str {
        &self.members.shared.peer
    }

    /// What it is told of who calls.
    pub(crate) fn hop(&self) -> &Hop {
        &self.members.shared.hop
    }

    /// Whether there is more than one replica to turn to with this method.
    pub(crate) fn has_choice(&self, method: Option<usize>) -> bool {
        let endpoints = self.members.endpoints.load();
        let connected = endpoints.iter().filter(|one| one.takes(method));
        connected.take(2).count() > 1
    }

    /// A stay at one replica; waits while one may yet come up. When none can be reached, a patient call
    /// waits for one more attempt to connect: the failure that is known may be older than a restart.
    pub(crate) async fn take(
        &self,
        wish: Wish<'_>,
        deadline: Option<Deadline>,
    ) -> Result<Ticket, Status> {
        if let Some(ticket) = self.try_take(wish, deadline) {
            return Ok(ticket);
        }
        let waiting = self.members.shared.wait();
        let since = Instant::now();
        loop {
            let mut change = pin!(waiting.change());
            // From here on no change is missed.
            change.as_mut().enable();
            if let Some(ticket) = self.try_take(wish, deadline) {
                return Ok(ticket);
            }
            self.expect_one(wish.method, wish.patient.then_some(since))?;
            change.await;
        }
    }

    /// A stay at a replica that can take the call at once.
    pub(crate) fn try_take(&self, wish: Wish<'_>, deadline: Option<Deadline>) -> Option<Ticket> {
        let endpoints = self.members.endpoints.load();
        let now = Instant::now();
        // The streams of the chosen one may be gone before one is taken; then another is chosen.
        for _ in 0..endpoints.len() {
            let choice = pick::choose(&endpoints, wish, now)?;
            if let Some(stream) = choice.endpoint.take(wish.method, now) {
                self.members.shared.meter.picked(choice.pick);
                let endpoint = Arc::clone(choice.endpoint);
                let probe = choice.pick == Pick::Probe;
                return Some(Ticket::new(endpoint, stream, probe, deadline, now));
            }
            if choice.pick == Pick::Probe {
                choice.endpoint.finished(Ending::Unknown, true);
            }
        }
        None
    }

    /// Fails when no replica is likely to come up soon for this method; `since` is when a patient call began to
    /// wait.
    fn expect_one(&self, method: Option<usize>, since: Option<Instant>) -> Result<(), Status> {
        let endpoints = self.members.endpoints.load();
        if endpoints.is_empty() && self.members.is_known() {
            self.members.shared.doubted.notify_one();
            return Err(Cause::NoEndpoint.status(
                Code::Unavailable,
                format!("peer {} has no replica", self.name()),
            ));
        }
        let likely = |one: &Arc<endpoint::Endpoint>| match one.is_connected() {
            true => one.takes(method),
            false => one.is_hopeful(),
        };
        if endpoints.is_empty() || endpoints.iter().any(likely) {
            return Ok(());
        }
        if endpoints.iter().all(|one| one.is_connected()) {
            let why = self.refusal(method);
            let why = why.unwrap_or_else(|| "the method is another one there".to_owned());
            return Err(Cause::ContractSkew.status(
                Code::FailedPrecondition,
                format!("peer {}: {why}", self.name()),
            ));
        }
        for endpoint in endpoints.iter() {
            endpoint.demanded.notify_one();
        }
        self.members.shared.doubted.notify_one();
        let mut away = endpoints.iter().filter(|one| !one.is_connected());
        if since.is_some_and(|since| away.any(|one| one.is_worth_a_try(since))) {
            return Ok(());
        }
        let error = endpoints.iter().find_map(|one| one.last_error());
        let cause = error.as_ref().map_or(Cause::Unreachable, DialError::cause);
        let why = error.map_or_else(String::new, |error| format!(": {error}"));
        let others = self.refusal(method);
        let others = others.map_or_else(String::new, |refusal| format!("; {refusal}"));
        Err(cause.status(
            Code::Unavailable,
            format!("peer {} cannot be reached{why}{others}", self.name()),
        ))
    }

    /// Where and why the method cannot be called for its contract.
    fn refusal(&self, method: Option<usize>) -> Option<String> {
        let method = self.members.shared.contracts.policies().at(method?)?;
        let endpoints = self.members.endpoints.load();
        let why = endpoints.iter().find_map(|one| one.refusal(method))?;
        Some(format!("{} cannot be called at {why}", method.name()))
    }

    /// What is known of each replica.
    pub(crate) fn replicas(&self) -> Vec<ReplicaState> {
        let endpoints = self.members.endpoints.load();
        endpoints.iter().map(|one| ReplicaState::of(one)).collect()
    }

    /// The deadline passed; `sent` tells whether the peer had the call by then.
    pub(crate) fn expired(&self, sent: bool) -> Status {
        let cause = if sent {
            Cause::DeadlineOnWire
        } else {
            Cause::DeadlineBeforeSend
        };
        cause.status(
            Code::DeadlineExceeded,
            format!("deadline exceeded calling {}: {cause}", self.name()),
        )
    }
}
