//! What a peer's configured address means.

use super::discovery::{Members, Resolve};
use super::dns::Dns;
use super::follow;
use super::way::Asked;
use http::uri::Authority;
use std::fmt;
use std::sync::Arc;
use tokio_util::sync::CancellationToken;

/// A configuration that no channel can be made of.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum MeshError {
    /// Nobody of this name was configured.
    #[error("no peer named {0} is configured")]
    UnknownPeer(String),
    /// The caller has a name that cannot travel with its calls.
    #[error("a caller cannot be named {0:?}: take visible ASCII without comma and semicolon")]
    BadCaller(String),
    /// A peer without an address.
    #[error("peer {0} has no address: give one as https://HOST:PORT, several with commas")]
    NoAddress(String),
    /// An address that cannot be used.
    #[error(
        "peer {peer}: {address} is not an address of the form http://HOST:PORT, https://HOST:PORT or dns:///NAME:PORT"
    )]
    BadAddress {
        /// The peer it belongs to.
        peer: String,
        /// The address as configured.
        address: String,
    },
    /// Some addresses of a peer ask for TLS, others do not.
    #[error("peer {0}: its addresses must be all http:// or all https://")]
    MixedSchemes(String),
    /// TLS without what it takes.
    #[error("peer {peer} cannot be called over TLS: {why}")]
    NoCredentials {
        /// The peer.
        peer: String,
        /// What is missing.
        why: String,
    },
    /// Plaintext that would leave this machine.
    #[error(
        "peer {peer}: {address} is beyond loopback, and plaintext to it was not asked for by name: \
         give https:// and a certificate, or set allow_plaintext"
    )]
    Plaintext {
        /// The peer it belongs to.
        peer: String,
        /// The address.
        address: String,
    },
    /// A name that cannot be looked up here.
    #[error("peer {peer}: no name service: {why}")]
    NoNameService {
        /// The peer it belongs to.
        peer: String,
        /// What the system lacks.
        why: String,
    },
}

/// Where a peer is looked for.
pub(crate) enum Target {
    /// At fixed addresses.
    Fixed(Vec<(String, Authority)>, Asked),
    /// Where a resolver says; requests name this authority, or the address when there is none.
    Resolved(Arc<dyn Resolve>, Option<Authority>),
}

impl fmt::Debug for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Fixed(addresses, _) => f.debug_tuple("Fixed").field(addresses).finish(),
            Self::Resolved(_, authority) => f.debug_tuple("Resolved").field(authority).finish(),
        }
    }
}

impl Target {
    /// Reads a comma list of addresses, or a name to look up.
    pub(crate) fn parse(peer: &str, addresses: &str) -> Result<Self, MeshError> {
        if let Some(dns) = Dns::parse(peer, addresses) {
            let (dns, authority) = dns?;
            return Ok(Self::Resolved(Arc::new(dns), Some(authority)));
        }
        let found = addresses
            .split(',')
            .map(str::trim)
            .filter(|address| !address.is_empty())
            .map(|address| fixed(peer, address))
            .collect::<Result<Vec<_>, _>>()?;
        let Some(&(_, _, asked)) = found.first() else {
            return Err(MeshError::NoAddress(peer.to_owned()));
        };
        if found.iter().any(|(_, _, other)| *other != asked) {
            return Err(MeshError::MixedSchemes(peer.to_owned()));
        }
        let fixed = found.into_iter().map(|(to, name, _)| (to, name)).collect();
        Ok(Self::Fixed(fixed, asked))
    }

    /// What the addresses say about the way to them.
    pub(super) const fn asked(&self) -> Asked {
        match self {
            Self::Fixed(_, asked) => *asked,
            Self::Resolved(..) => Asked::Nothing,
        }
    }

    /// The addresses that are known from the start.
    pub(super) fn fixed(&self) -> impl Iterator<Item = &str> {
        let known = match self {
            Self::Fixed(addresses, _) => &**addresses,
            Self::Resolved(..) => &[],
        };
        known.iter().map(|(address, _)| &**address)
    }

    /// Tells the members where they are, now or from now on.
    pub(super) fn follow(self, members: &Arc<Members>, stop: CancellationToken) {
        match self {
            Self::Fixed(addresses, _) => members.set(addresses),
            Self::Resolved(resolver, authority) => {
                let following = follow::follow(Arc::clone(members), resolver, authority);
                members
                    .shared
                    .runtime
                    .spawn(stop.run_until_cancelled_owned(following));
            }
        }
    }
}

/// One fixed address.
fn fixed(peer: &str, address: &str) -> Result<(String, Authority, Asked), MeshError> {
    let bad = || MeshError::BadAddress {
        peer: peer.to_owned(),
        address: address.to_owned(),
    };
    let (asked, authority) = match address.split_once("://") {
        None => (Asked::Nothing, address),
        Some(("http", rest)) => (Asked::Plaintext, rest),
        Some(("https", rest)) => (Asked::Tls, rest),
        Some(_) => return Err(bad()),
    };
    let authority = authority.strip_suffix('/').unwrap_or(authority);
    let authority: Authority = authority.parse().map_err(|_| bad())?;
    if authority.port_u16().is_none() || authority.as_str().contains('@') {
        return Err(bad());
    }
    Ok((authority.to_string(), authority, asked))
}
