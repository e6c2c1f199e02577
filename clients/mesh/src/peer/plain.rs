//! Plain TCP: beyond loopback only when it was asked for by name.

use super::connect::{BoxIo, Connect};
use futures::future::BoxFuture;
use std::io;
use std::net::{IpAddr, SocketAddr};
use tokio::net::TcpStream;

/// How far plain TCP may reach.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Tcp {
    /// To this machine alone: nothing protects what is said.
    Loopback,
    /// Anywhere.
    Anywhere,
}

impl Connect for Tcp {
    fn connect(&self, address: &str) -> BoxFuture<'static, io::Result<BoxIo>> {
        let allowed = *self == Self::Anywhere || is_loopback(address);
        let address = address.to_owned();
        Box::pin(async move {
            if !allowed {
                return Err(io::Error::new(
                    io::ErrorKind::PermissionDenied,
                    format!("plaintext to {address}, beyond loopback, was not asked for by name"),
                ));
            }
            let stream = TcpStream::connect(address).await?;
            // Calls are small: waiting to fill a segment would only slow them.
            stream.set_nodelay(true)?;
            let io: BoxIo = Box::new(stream);
            Ok(io)
        })
    }
}

/// Whether `HOST:PORT` is on this machine, whoever is asked about names.
pub(super) fn is_loopback(address: &str) -> bool {
    if let Ok(address) = address.parse::<SocketAddr>() {
        return address.ip().is_loopback();
    }
    let host = address.rsplit_once(':').map_or(address, |(host, _)| host);
    host == "localhost" || host.parse().is_ok_and(|ip: IpAddr| ip.is_loopback())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_this_machine_is_loopback() {
        for near in ["127.0.0.1:1", "127.9.9.9:1", "[::1]:1", "localhost:1"] {
            assert!(is_loopback(near), "{near}");
        }
        for far in [
            "10.0.0.1:1",
            "[2001:db8::1]:1",
            "localhost.example:1",
            "billing:1",
        ] {
            assert!(!is_loopback(far), "{far}");
        }
    }

    #[tokio::test]
    async fn plaintext_goes_no_farther_than_was_asked_for() {
        let refused = Tcp::Loopback.connect("192.0.2.1:1").await;
        let error = refused.err().expect("refused");
        assert_eq!(error.kind(), io::ErrorKind::PermissionDenied);
    }
}
