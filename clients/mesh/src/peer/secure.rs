//! TLS to a peer: who it is counts, not what its address is called.
//!
//! Each connection is made by the credentials of the moment. Those made by earlier ones go on until a new
//! one stands.

use super::connect::{BoxIo, Connect};
use crate::tls::{Credentials, HTTP2};
use arc_swap::ArcSwapOption;
use futures::future::BoxFuture;
use rustls::ClientConfig;
use rustls::pki_types::ServerName;
use std::io;
use std::net::{IpAddr, Ipv4Addr};
use std::sync::Arc;
use tokio_rustls::TlsConnector;

/// TLS over another way to connect.
pub(super) struct Secure {
    inner: Arc<dyn Connect>,
    credentials: Credentials,
    /// The workload that must answer.
    peer: Arc<str>,
    /// Made of the snapshot of one generation, for as long as that is the current one.
    made: ArcSwapOption<(u64, Arc<ClientConfig>)>,
}

impl Secure {
    /// To this workload, over what `inner` opens.
    ///
    /// # Errors
    /// When the credentials leave nothing to check the peer by.
    pub(super) fn new(
        inner: Arc<dyn Connect>,
        credentials: Credentials,
        peer: Arc<str>,
    ) -> Result<Self, rustls::Error> {
        let secure = Self {
            inner,
            credentials,
            peer,
            made: ArcSwapOption::empty(),
        };
        secure.config()?;
        Ok(secure)
    }

    /// What handshakes go by now.
    fn config(&self) -> Result<Arc<ClientConfig>, rustls::Error> {
        let snapshot = self.credentials.current();
        if let Some(made) = &*self.made.load()
            && made.0 == snapshot.generation()
        {
            return Ok(Arc::clone(&made.1));
        }
        let config = Arc::new(snapshot.client(&self.peer)?);
        let made = (snapshot.generation(), Arc::clone(&config));
        self.made.store(Some(Arc::new(made)));
        Ok(config)
    }
}

impl Connect for Secure {
    fn connect(&self, address: &str) -> BoxFuture<'static, io::Result<BoxIo>> {
        let config = self.config().map_err(io::Error::other);
        let connecting = self.inner.connect(address);
        Box::pin(async move {
            let connector = TlsConnector::from(config?);
            // The workload is checked, not this name, and none is told.
            let name = ServerName::from(IpAddr::from(Ipv4Addr::UNSPECIFIED));
            let stream = connector.connect(name, connecting.await?).await?;
            if stream.get_ref().1.alpn_protocol() != Some(HTTP2) {
                return Err(io::Error::new(
                    io::ErrorKind::InvalidData,
                    "the peer speaks TLS, but not HTTP/2",
                ));
            }
            let io: BoxIo = Box::new(stream);
            Ok(io)
        })
    }

    fn outdated(&self) -> BoxFuture<'static, ()> {
        let mut changes = self.credentials.changes();
        Box::pin(async move {
            if changes.changed().await.is_err() {
                // The credentials are gone, and with them whatever could follow.
                std::future::pending().await
            }
        })
    }
}
