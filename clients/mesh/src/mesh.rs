//! The peers of a workload, by name.

use crate::budget::Budget;
use crate::cache::Cache;
use crate::call::{Route, run};
use crate::chain::Hop;
use crate::metrics::{self, Books, PeerMetrics};
use crate::peer::{Connect, MeshError, Peer, ReplicaState, Resolve, Target, Ways};
use crate::policy::PolicyTable;
use crate::retry::Throttle;
use crate::tls::Credentials;
use crate::tuning::Tuning;
use futures::future::BoxFuture;
use serde::Serialize;
use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;
use std::task::{Context, Poll};
use tonic::Status;
use tonic::body::Body;

/// The peers of a workload. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Mesh {
    routes: Arc<BTreeMap<String, Arc<Route>>>,
}

/// Collects what a [`Mesh`] needs.
pub struct MeshBuilder {
    policies: PolicyTable,
    caller: Option<String>,
    peers: Vec<(String, Place)>,
    tuning: Tuning,
    ways: Ways,
}

/// Where a peer is, as it was configured.
enum Place {
    Addresses(String),
    Resolver(Arc<dyn Resolve>),
}

/// What the mesh knows of its peers, for the admin port.
#[derive(Debug, Clone, Serialize)]
pub struct PeerState {
    /// The name by which the workload calls it.
    pub name: String,
    /// What is known of each of its replicas.
    pub replicas: Vec<ReplicaState>,
    /// What is left of the retry tokens; retries stop at half of a full bucket of a thousand.
    pub retry_tokens: f64,
    /// What is left of the budget that bounds retries by the number of recent calls, in percent.
    pub retry_budget: u32,
    /// How many calls to it failed so far, by the name of the cause.
    pub failures: BTreeMap<&'static str, u64>,
}

impl fmt::Debug for MeshBuilder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let peers: Vec<_> = self.peers.iter().map(|(name, _)| name).collect();
        f.debug_struct("MeshBuilder")
            .field("caller", &self.caller)
            .field("peers", &peers)
            .field("tuning", &self.tuning)
            .finish_non_exhaustive()
    }
}

impl Mesh {
    /// A mesh that obeys these policies.
    #[must_use]
    pub fn builder(policies: PolicyTable) -> MeshBuilder {
        MeshBuilder {
            policies,
            caller: None,
            peers: Vec::new(),
            tuning: Tuning::default(),
            ways: Ways::default(),
        }
    }

    /// The channel to a peer.
    ///
    /// # Errors
    /// When no such peer was configured.
    pub fn to(&self, peer: &str) -> Result<MeshChannel, MeshError> {
        let route = self
            .routes
            .get(peer)
            .ok_or_else(|| MeshError::UnknownPeer(peer.to_owned()))?;
        Ok(MeshChannel {
            route: Arc::clone(route),
        })
    }

    /// What is known of every peer.
    #[must_use]
    pub fn state(&self) -> Vec<PeerState> {
        self.routes
            .values()
            .map(|route| PeerState {
                name: route.peer.name().to_owned(),
                replicas: route.peer.replicas(),
                retry_tokens: route.throttle.left(),
                retry_budget: route.budget.left(tokio::time::Instant::now()),
                failures: route.metrics.failed().by_cause(),
            })
            .collect()
    }
}

impl MeshBuilder {
    /// The name of the workload that calls.
    #[must_use]
    pub fn caller(mut self, name: &str) -> Self {
        self.caller = Some(name.to_owned());
        self
    }

    /// A peer and its addresses: `https://HOST:PORT`, several with commas, or `dns:///NAME:PORT`, which is
    /// looked up again and again. Over `https` the peer must prove to be the workload of this name;
    /// `http` is plaintext, for loopback. Without a scheme it is TLS when there are credentials.
    #[must_use]
    pub fn peer(mut self, name: &str, addresses: &str) -> Self {
        let place = Place::Addresses(addresses.to_owned());
        self.peers.push((name.to_owned(), place));
        self
    }

    /// A peer whose replicas are where this says.
    #[must_use]
    pub fn peer_at(mut self, name: &str, resolver: Arc<dyn Resolve>) -> Self {
        self.peers
            .push((name.to_owned(), Place::Resolver(resolver)));
        self
    }

    /// Another way to open streams of bytes than TCP.
    #[must_use]
    pub fn connect(mut self, connect: Arc<dyn Connect>) -> Self {
        self.ways.connect = Some(connect);
        self
    }

    /// Who the workload is and whom it believes. Whoever loaded them follows their files.
    #[must_use]
    pub fn credentials(mut self, credentials: impl Into<Option<Credentials>>) -> Self {
        self.ways.credentials = credentials.into();
        self
    }

    /// Whether plaintext may leave this machine; it may not unless this says so.
    #[must_use]
    pub const fn allow_plaintext(mut self, allowed: bool) -> Self {
        self.ways.allow_plaintext = allowed;
        self
    }

    /// Calls that are no part of what the process is watched for, such as a tool's inside a service: they
    /// appear in no metric.
    #[must_use]
    pub const fn uncounted(mut self) -> Self {
        self.ways.books = Books::Closed;
        self
    }

    /// How connections are made and kept.
    #[must_use]
    pub fn tuning(mut self, tuning: Tuning) -> Self {
        self.tuning = tuning;
        self
    }

    /// The mesh. Connects to nobody yet; must be called inside a tokio runtime, which then drives the
    /// connections.
    ///
    /// # Errors
    /// When an address cannot be used, or not with these credentials, or the caller's name is none.
    pub fn build(self) -> Result<Mesh, MeshError> {
        let caller = self.caller.as_deref().unwrap_or_default();
        let books = self.ways.books;
        let mut routes = BTreeMap::new();
        for (name, place) in self.peers {
            let target = match place {
                Place::Addresses(addresses) => Target::parse(&name, &addresses)?,
                Place::Resolver(resolver) => Target::Resolved(resolver, None),
            };
            let shared_name = Arc::from(name.as_str());
            let way = self.ways.to(&shared_name, &target)?;
            let hop = Hop::new(caller).ok_or_else(|| MeshError::BadCaller(caller.to_owned()))?;
            let peer = Peer::new(&shared_name, target, self.policies, &self.tuning, way, hop);
            let route = Route {
                metrics: PeerMetrics::new(books, self.policies, &shared_name),
                peer: Arc::new(peer),
                policies: self.policies,
                throttle: Throttle::new(metrics::retry_tokens(books, &shared_name)),
                budget: Budget::new(),
                cache: Cache::new(),
            };
            routes.insert(name, Arc::new(route));
        }
        Ok(Mesh {
            routes: Arc::new(routes),
        })
    }
}

/// The way to one peer; any generated tonic client runs on it. Cheap to clone.
#[derive(Debug, Clone)]
pub struct MeshChannel {
    route: Arc<Route>,
}

impl tower::Service<http::Request<Body>> for MeshChannel {
    type Response = http::Response<Body>;
    type Error = Status;
    type Future = BoxFuture<'static, Result<Self::Response, Self::Error>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Self::Error>> {
        // Waiting belongs into the call, where the deadline covers it.
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: http::Request<Body>) -> Self::Future {
        run(Arc::clone(&self.route), request)
    }
}
