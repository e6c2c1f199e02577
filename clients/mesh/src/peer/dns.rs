//! Finds the replicas of a peer in the domain name system: every address of a name, at one port.

use super::discovery::{Resolve, ResolveError, Resolved};
use super::target::MeshError;
use futures::future::BoxFuture;
use hickory_resolver::TokioResolver;
use hickory_resolver::config::{
    ConnectionConfig, NameServerConfig, ResolverConfig, ServerOrderingStrategy,
};
use hickory_resolver::net::NetError;
use hickory_resolver::net::runtime::TokioRuntimeProvider;
use http::uri::Authority;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Instant;

/// What precedes the name server and the name.
const SCHEME: &str = "dns://";

/// A name and where it is looked up.
pub(super) struct Dns {
    resolver: Arc<TokioResolver>,
    name: Arc<str>,
    port: u16,
}

impl Dns {
    /// Reads `dns:///NAME:PORT` or `dns://SERVER:PORT/NAME:PORT`; `None` for an address of another kind.
    pub(super) fn parse(peer: &str, address: &str) -> Option<Result<(Self, Authority), MeshError>> {
        let rest = address.strip_prefix(SCHEME)?;
        let bad = || MeshError::BadAddress {
            peer: peer.to_owned(),
            address: address.to_owned(),
        };
        Some(Self::read(peer, rest).unwrap_or_else(|| Err(bad())))
    }

    fn read(peer: &str, rest: &str) -> Option<Result<(Self, Authority), MeshError>> {
        let (server, name) = rest.split_once('/')?;
        let server: Option<SocketAddr> = match server {
            "" => None,
            server => Some(server.parse().ok()?),
        };
        let authority: Authority = name.parse().ok()?;
        let port = authority.port_u16()?;
        let none = |error: String| MeshError::NoNameService {
            peer: peer.to_owned(),
            why: error,
        };
        let dns = resolver(server)
            .map_err(|error| none(error.to_string()))
            .map(|resolver| Self {
                resolver: Arc::new(resolver),
                name: authority.host().into(),
                port,
            });
        Some(dns.map(|dns| (dns, authority)))
    }
}

/// Asks this server, or those that the system is set up with.
fn resolver(server: Option<SocketAddr>) -> Result<TokioResolver, NetError> {
    let mut builder = match server {
        None => TokioResolver::builder_tokio()?,
        Some(server) => {
            let ports = [ConnectionConfig::udp(), ConnectionConfig::tcp()].map(|mut connection| {
                connection.port = server.port();
                connection
            });
            let server = NameServerConfig::new(server.ip(), true, ports.into());
            let config = ResolverConfig::from_name_servers(vec![server]);
            TokioResolver::builder_with_config(config, TokioRuntimeProvider::default())
        }
    };
    // When to ask again is decided by the mesh; an answer out of a cache would be of no use after a failure.
    builder.options_mut().cache_size = 0;
    // One server after the other, as the system has them: where the first knows the names of this network and the
    // second only those of the world, the quickest answer is that there is no such name.
    builder.options_mut().server_ordering_strategy = ServerOrderingStrategy::UserProvidedOrder;
    builder.options_mut().num_concurrent_reqs = 1;
    builder.build()
}

/// Why nothing was found. That a name has no address of one family is no failure as long as it has one of the other.
fn refusal(name: &str, error: &NetError) -> ResolveError {
    ResolveError(if error.is_nx_domain() {
        format!("the name service knows no {name}")
    } else if error.is_no_records_found() {
        format!("{name} has no address")
    } else {
        format!("{name}: {error}")
    })
}

impl Resolve for Dns {
    fn resolve(&self) -> BoxFuture<'static, Result<Resolved, ResolveError>> {
        let (resolver, name, port) = (
            Arc::clone(&self.resolver),
            Arc::clone(&self.name),
            self.port,
        );
        Box::pin(async move {
            let found = resolver
                .lookup_ip(&*name)
                .await
                .map_err(|error| refusal(&name, &error))?;
            let valid_for = found
                .valid_until()
                .saturating_duration_since(Instant::now());
            let addresses: Vec<_> = found
                .iter()
                .map(|ip| SocketAddr::new(ip, port).to_string())
                .collect();
            if addresses.is_empty() {
                return Err(ResolveError(format!("{name} has no address")));
            }
            Ok(Resolved {
                addresses,
                valid_for: Some(valid_for),
            })
        })
    }
}
