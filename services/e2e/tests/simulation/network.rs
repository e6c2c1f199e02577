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
    open: Arc<Mutex<Open>>,
}

/// The connections of every host, in the order in which they were made.
#[derive(Default)]
struct Open {
    made: u64,
    ends: BTreeMap<(IpAddr, u64), End>,
}

/// One end of a connection; gone when its host has died.
type End = Arc<Mutex<Option<TcpStream>>>;

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
        let here = turmoil::lookup(host);
        let open = lock(&self.open);
        open.ends.keys().filter(|(at, _)| *at == here).count()
    }

    /// Closes all connections of the present host, as the system does when a process dies. It must be done
    /// in order: a runtime that is dropped drops its tasks in none.
    pub(crate) fn sever(&self, host: &str) {
        let here = turmoil::lookup(host);
        let ends: Vec<_> = {
            let open = lock(&self.open);
            let here = open.ends.iter().filter(|((at, _), _)| *at == here);
            here.map(|(_, end)| Arc::clone(end)).collect()
        };
        for end in ends {
            let stream = lock(&end).take();
            drop(stream);
        }
    }

    fn tapped(&self, stream: TcpStream) -> io::Result<BoxIo> {
        let (local, remote) = (stream.local_addr()?, stream.peer_addr()?);
        self.journal.wire(local, remote, b"begin");
        let end = Arc::new(Mutex::new(Some(stream)));
        let mut open = lock(&self.open);
        open.made += 1;
        let key = (local.ip(), open.made);
        open.ends.insert(key, Arc::clone(&end));
        let network = self.clone();
        Ok(Box::new(Tapped {
            end,
            key,
            local,
            remote,
            network,
        }))
    }
}

impl Connect for Network {
    fn connect(&self, address: &str) -> BoxFuture<'static, io::Result<BoxIo>> {
        let (network, address) = (self.clone(), address.to_owned());
        self.journal
            .note("network", format_args!("somebody connects to {address}"));
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
    end: End,
    key: (IpAddr, u64),
    local: SocketAddr,
    remote: SocketAddr,
    network: Network,
}

impl Tapped {
    fn with<T>(
        &self,
        act: impl FnOnce(Pin<&mut TcpStream>) -> Poll<io::Result<T>>,
    ) -> Poll<io::Result<T>> {
        match &mut *lock(&self.end) {
            Some(stream) => act(Pin::new(stream)),
            None => Poll::Ready(Err(io::ErrorKind::ConnectionReset.into())),
        }
    }
}

impl Drop for Tapped {
    fn drop(&mut self) {
        lock(&self.network.open).ends.remove(&self.key);
    }
}

impl AsyncRead for Tapped {
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        self.with(|stream| stream.poll_read(cx, buffer))
    }
}

impl AsyncWrite for Tapped {
    fn poll_write(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        let written = ready!(self.with(|stream| stream.poll_write(cx, bytes)))?;
        let journal = &self.network.journal;
        journal.wire(self.local, self.remote, &bytes[..written]);
        Poll::Ready(Ok(written))
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.with(|stream| stream.poll_flush(cx))
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.network.journal.wire(self.local, self.remote, b"end");
        self.with(|stream| stream.poll_shutdown(cx))
    }
}
