//! Where the replicas of a peer are, and how that is learned.

use super::dialer;
use super::endpoint::Endpoint;
use super::shared::Shared;
use arc_swap::ArcSwap;
use futures::future::BoxFuture;
use http::uri::Authority;
use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;
use tokio_util::sync::CancellationToken;

/// What a resolver found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Resolved {
    /// The replicas, each as `HOST:PORT`.
    pub addresses: Vec<String>,
    /// How long that can be relied upon; the resolver is asked again then. Absent: until it says that
    /// something changed.
    pub valid_for: Option<Duration>,
}

/// A lookup that failed.
#[derive(Debug, Clone, thiserror::Error)]
#[error("{0}")]
pub struct ResolveError(pub String);

/// Knows where the replicas of a peer are: a name service, a watcher of an orchestrator, a test.
pub trait Resolve: Send + Sync + 'static {
    /// Looks it up.
    fn resolve(&self) -> BoxFuture<'static, Result<Resolved, ResolveError>>;

    /// Resolves when the answer has changed. By default never: then only [`Resolved::valid_for`] counts.
    fn changed(&self) -> BoxFuture<'static, ()> {
        Box::pin(std::future::pending())
    }
}

/// The replicas of a peer as they are known.
#[derive(Debug)]
pub(super) struct Members {
    pub(super) endpoints: ArcSwap<Vec<Arc<Endpoint>>>,
    /// Whether a lookup has ended, well or not.
    asked: AtomicBool,
    pub(super) shared: Arc<Shared>,
    stop: CancellationToken,
}

impl Members {
    pub(super) fn new(shared: Arc<Shared>, stop: CancellationToken) -> Self {
        Self {
            endpoints: ArcSwap::default(),
            asked: AtomicBool::new(false),
            shared,
            stop,
        }
    }

    /// Whether it is known where the replicas are, or that nobody knows.
    pub(super) fn is_known(&self) -> bool {
        self.asked.load(Ordering::Relaxed)
    }

    /// The replicas are these from now on: the rest of the old ones finish what they have in hand. Each
    /// is an address and the authority that requests to it name.
    pub(super) fn set(&self, found: impl IntoIterator<Item = (String, Authority)>) {
        let old = self.endpoints.load();
        let mut addresses = BTreeSet::new();
        let mut new = Vec::new();
        for (address, authority) in found {
            if !addresses.insert(address.clone()) {
                continue;
            }
            let known = old.iter().find(|one| *one.address == *address);
            let endpoint = known
                .cloned()
                .unwrap_or_else(|| self.add(address, authority));
            new.push(endpoint);
        }
        for gone in old.iter().filter(|one| !addresses.contains(&*one.address)) {
            gone.stop.cancel();
        }
        self.shared.meter.endpoints(new.len());
        self.endpoints.store(Arc::new(new));
        self.known();
    }

    /// A lookup has ended.
    pub(super) fn known(&self) {
        self.asked.store(true, Ordering::Relaxed);
        self.shared.change();
    }

    fn add(&self, address: String, authority: Authority) -> Arc<Endpoint> {
        let endpoint = Arc::new(Endpoint::new(
            address.into(),
            authority,
            Arc::clone(&self.shared),
            self.stop.child_token(),
        ));
        // A newcomer in a set that is in use shall take its share at once.
        if self.endpoints.load().iter().any(|one| one.is_connected()) {
            endpoint.wanted.notify_one();
        }
        self.shared
            .runtime
            .spawn(dialer::drive(Arc::clone(&endpoint)));
        endpoint
    }
}
