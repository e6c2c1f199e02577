//! The simulated network, as both halves of the mesh see it.

use crate::journal::Journal;
use crate::world::lock;
use cleave_host::{Listen, Listener};
use cleave_mesh::{BoxIo, Connect};
use futures::future::BoxFuture;
use std::collections::BTreeMap;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::pin::Pin;
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll, ready};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use turmoil::net::{TcpListener, TcpStream};

/// The simulated network; what is written to it goes into the journal.
#[derive(Clone)]
pub(crate) struct Network {
    journal: Arc<Journal>,
    open: Arc<Mutex<BTreeMap<IpAddr, usize>>>,
}

impl Network {
    /// A network without connections.
    pub(crate) fn new(journal: Arc<Journal>) -> Self {
        Self {
            journal,
            open: Arc::default(),
        }
    }

    /// How many connections the present host has open.
    pub(crate) fn open_here(&self, host: &str) -> usize {
        lock(&self.open)
            .get(&turmoil::lookup(host))
            .copied()
            .unwrap_or(0)
    }

    fn tapped(&self, stream: TcpStream) -> io::Result<BoxIo> {
        let (local, remote) = (stream.local_addr()?, stream.peer_addr()?);
        *lock(&self.open).entry(local.ip()).or_default() += 1;
        let network = self.clone();
        Ok(Box::new(Tapped {
            stream,
            local,
            remote,
            network,
        }))
    }
}

impl Connect for Network {
    fn connect(&self, address: &str) -> BoxFuture<'static, io::Result<BoxIo>> {
        let (network, address) = (self.clone(), address.to_owned());
        Box::pin(async move { network.tapped(TcpStream::connect(address).await?) })
    }
}

impl Listen for Network {
    fn listen(&self, address: SocketAddr) -> BoxFuture<'static, io::Result<Box<dyn Listener>>> {
        let network = self.clone();
        Box::pin(async move {
            let listener = TcpListener::bind(address).await?;
            let port: Box<dyn Listener> = Box::new(Port { listener, network });
            Ok(port)
        })
    }
}

struct Port {
    listener: TcpListener,
    network: Network,
}

impl Listener for Port {
    fn accept(&mut self) -> BoxFuture<'_, io::Result<(BoxIo, SocketAddr)>> {
        Box::pin(async move {
            let (stream, remote) = self.listener.accept().await?;
            Ok((self.network.tapped(stream)?, remote))
        })
    }

    fn local_addr(&self) -> io::Result<SocketAddr> {
        self.listener.local_addr()
    }
}

struct Tapped {
    stream: TcpStream,
    local: SocketAddr,
    remote: SocketAddr,
    network: Network,
}

impl Drop for Tapped {
    fn drop(&mut self) {
        lock(&self.network.open)
            .entry(self.local.ip())
            .and_modify(|open| *open -= 1);
    }
}

impl AsyncRead for Tapped {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_read(cx, buffer)
    }
}

impl AsyncWrite for Tapped {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        let written = ready!(Pin::new(&mut self.stream).poll_write(cx, bytes))?;
        self.network
            .journal
            .wire(self.local, self.remote, &bytes[..written]);
        Poll::Ready(Ok(written))
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}
