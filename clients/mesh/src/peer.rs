//! The connections to one peer.
//!
//! The seam behind which discovery, balancing and the connections themselves live: a call hands over a
//! request and gets a response or a classified status.

use crate::error::Cause;
use crate::failure;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;
use tonic::body::Body;
use tonic::transport::{Channel, Endpoint};
use tonic::{Code, Status};
use tower::{Service as _, ServiceExt as _};

/// How connections are made and kept.
#[derive(Debug, Clone)]
pub struct Tuning {
    /// How long a connection may take to be made.
    pub connect_timeout: Duration,
    /// A ping goes out this often, also while nothing else does, so that a silent partition is noticed.
    pub keepalive_interval: Duration,
    /// A connection whose ping is not answered within this time is given up.
    pub keepalive_timeout: Duration,
}

impl Default for Tuning {
    fn default() -> Self {
        Self {
            connect_timeout: Duration::from_secs(2),
            keepalive_interval: Duration::from_secs(15),
            keepalive_timeout: Duration::from_secs(5),
        }
    }
}

/// A configuration that no channel can be made of.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum MeshError {
    /// Nobody of this name was configured.
    #[error("no peer named {0} is configured")]
    UnknownPeer(String),
    /// A peer without an address.
    #[error("peer {0} has no address: give one as http://HOST:PORT, several with commas")]
    NoAddress(String),
    /// An address that cannot be used.
    #[error("peer {peer}: {address} is not an address of the form http://HOST:PORT")]
    BadAddress {
        /// The peer it belongs to.
        peer: String,
        /// The address as configured.
        address: String,
    },
}

/// One replica of a peer.
#[derive(Debug)]
struct Replica {
    address: String,
    channel: Channel,
}

/// The replicas of one peer, used in turn.
#[derive(Debug)]
pub(crate) struct Peer {
    name: String,
    replicas: Vec<Replica>,
    next: AtomicUsize,
}

impl Peer {
    /// Prepares connections to every address of a comma list; none is made yet.
    pub(crate) fn new(name: &str, addresses: &str, tuning: &Tuning) -> Result<Self, MeshError> {
        let replicas = addresses
            .split(',')
            .map(str::trim)
            .filter(|address| !address.is_empty())
            .map(|address| replica(name, address, tuning))
            .collect::<Result<Vec<_>, _>>()?;
        if replicas.is_empty() {
            return Err(MeshError::NoAddress(name.to_owned()));
        }
        Ok(Self {
            name: name.to_owned(),
            replicas,
            next: AtomicUsize::new(0),
        })
    }

    /// The name by which services know it.
    pub(crate) fn name(&self) -> &str {
        &self.name
    }

    /// Where its replicas are.
    pub(crate) fn addresses(&self) -> impl Iterator<Item = &str> {
        self.replicas.iter().map(|replica| replica.address.as_str())
    }

    /// Sends one attempt to the next replica.
    pub(crate) async fn send(
        &self,
        request: http::Request<Body>,
    ) -> Result<http::Response<Body>, Status> {
        let turn = self.next.fetch_add(1, Ordering::Relaxed) % self.replicas.len();
        let mut channel = self.replicas[turn].channel.clone();
        let ready = channel
            .ready()
            .await
            .map_err(|error| self.classify(&error))?;
        ready
            .call(request)
            .await
            .map_err(|error| self.classify(&error))
    }

    fn classify(&self, error: &tonic::transport::Error) -> Status {
        failure::classify(error, &self.name)
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
            format!("deadline exceeded calling {}", self.name),
        )
    }
}

/// A lazy channel to one address.
fn replica(peer: &str, address: &str, tuning: &Tuning) -> Result<Replica, MeshError> {
    let bad = || MeshError::BadAddress {
        peer: peer.to_owned(),
        address: address.to_owned(),
    };
    let uri = if address.contains("://") {
        address.to_owned()
    } else {
        format!("http://{address}")
    };
    let parsed: http::Uri = uri.parse().map_err(|_| bad())?;
    if parsed.scheme_str() != Some("http") || parsed.port().is_none() {
        return Err(bad());
    }
    let channel = Endpoint::from_shared(uri.clone())
        .map_err(|_| bad())?
        .connect_timeout(tuning.connect_timeout)
        .http2_keep_alive_interval(tuning.keepalive_interval)
        .keep_alive_timeout(tuning.keepalive_timeout)
        .keep_alive_while_idle(true)
        .tcp_nodelay(true)
        .connect_lazy();
    Ok(Replica {
        address: uri,
        channel,
    })
}
