//! Learns from a replica which contract it serves, once per connection, and what that leaves to be asked of it.
//!
//! The question goes out with the first bytes of the connection, so its answer is there about as soon as the
//! connection is. A replica that does not answer it in time, or not in a way that makes sense, is called as it
//! is: only what is known to go wrong is refused.

use super::connection::Connection;
use super::endpoint::Endpoint;
use super::send::ask;
use crate::contract::messages::{
    DESCRIBE_METHODS, DescribeMethodsRequest, DescribeMethodsResponse, GET_CONTRACT,
    GetContractRequest, GetContractResponse, MAX_DESCRIBED,
};
use crate::contract::shape::Shape;
use crate::contract::{Judgement, Level, Outline};
use crate::policy::PolicyTable;
use std::collections::VecDeque;
use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};

/// The most contracts of one peer that are remembered: a roll-out has two.
const MAX_KNOWN: usize = 4;

/// The contracts that replicas of a peer were found to serve.
pub(super) struct Contracts {
    policies: PolicyTable,
    unknown: Arc<Judgement>,
    /// By fingerprint, the one met last in front.
    known: Mutex<VecDeque<(u64, Arc<Judgement>)>>,
}

impl fmt::Debug for Contracts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Contracts").finish_non_exhaustive()
    }
}

impl Contracts {
    /// None is known yet of what these policies speak of.
    pub(super) fn new(policies: PolicyTable) -> Self {
        Self {
            policies,
            unknown: Arc::new(Judgement::unknown()),
            known: Mutex::default(),
        }
    }

    /// The policies of the own contract.
    pub(super) const fn policies(&self) -> PolicyTable {
        self.policies
    }

    fn last(&self) -> u64 {
        let known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        known.front().map_or(0, |(fingerprint, _)| *fingerprint)
    }

    fn recall(&self, fingerprint: u64) -> Option<Arc<Judgement>> {
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        let place = known.iter().position(|(one, _)| *one == fingerprint)?;
        let entry = known.remove(place)?;
        let judgement = Arc::clone(&entry.1);
        known.push_front(entry);
        Some(judgement)
    }

    fn remember(&self, fingerprint: u64, judgement: &Arc<Judgement>) {
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        known.retain(|(one, _)| *one != fingerprint);
        known.push_front((fingerprint, Arc::clone(judgement)));
        known.truncate(MAX_KNOWN);
    }
}

/// What may be asked of the replica on a connection that is being opened.
pub(super) async fn meet(endpoint: &Endpoint, connection: &Connection) -> Arc<Judgement> {
    let shared = &endpoint.shared;
    let contracts = &shared.contracts;
    if contracts.policies.shape().is_empty() || !shared.tuning.compare_contracts {
        return Arc::clone(&contracts.unknown);
    }
    let learning = learn(endpoint, connection);
    let judgement = tokio::time::timeout(shared.tuning.contract_timeout, learning).await;
    let judgement = judgement.ok().flatten();
    let judgement = judgement.unwrap_or_else(|| Arc::clone(&contracts.unknown));
    shared.meter.met(judgement.state());
    judgement
}

/// Asks for the contract; for its details only when it is a new one. `None` when it is not told.
async fn learn(endpoint: &Endpoint, connection: &Connection) -> Option<Arc<Judgement>> {
    let contracts = &endpoint.shared.contracts;
    let known_fingerprint = contracts.last();
    let question = GetContractRequest { known_fingerprint };
    let told: GetContractResponse = ask(endpoint, connection, GET_CONTRACT, &question).await?;
    if told.fingerprint == 0 {
        return None;
    }
    if let Some(judgement) = contracts.recall(told.fingerprint) {
        return Some(judgement);
    }
    let outline = Outline::of(contracts.policies, &told.services);
    let paths: Vec<_> = outline
        .differing()
        .take(MAX_DESCRIBED)
        .map(str::to_owned)
        .collect();
    let theirs = if paths.is_empty() {
        Shape::default()
    } else {
        let question = DescribeMethodsRequest { paths };
        let told: DescribeMethodsResponse =
            ask(endpoint, connection, DESCRIBE_METHODS, &question).await?;
        told.shape?
    };
    let judgement = Arc::new(outline.judge(&theirs));
    contracts.remember(told.fingerprint, &judgement);
    announce(endpoint, &judgement);
    Some(judgement)
}

/// Says once what is new about a contract.
fn announce(endpoint: &Endpoint, judgement: &Judgement) {
    let (peer, address) = (&*endpoint.shared.peer, &*endpoint.address);
    for skew in &judgement.state().skews {
        let (method, level) = (skew.method, skew.level.name());
        let why = skew.differences.first().map_or("", String::as_str);
        if skew.level == Level::Unsafe {
            tracing::warn!(
                rpc.peer = peer,
                endpoint = address,
                rpc.method = method,
                why,
                "contracts cannot be reconciled: not called there"
            );
        } else {
            tracing::info!(
                rpc.peer = peer,
                endpoint = address,
                rpc.method = method,
                level,
                why,
                "contracts differ"
            );
        }
    }
}
