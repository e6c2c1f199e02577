//! Where connections come from: TCP unless another network is set, such as a simulated one.

use cleave_mesh::BoxIo;
use futures::future::BoxFuture;
use std::fmt;
use std::io;
use std::net::{SocketAddr, TcpStream as StdTcpStream};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::{TcpListener, TcpStream};

/// Opens ports: TCP unless another way is set, such as a simulated network.
///
/// The connections of another network are served on the runtime that starts the service, since nothing says
/// that they may leave it.
pub trait Listen: Send + Sync + 'static {
    /// Opens the port at `address`.
    fn listen(&self, address: SocketAddr) -> BoxFuture<'static, io::Result<Box<dyn Listener>>>;
}

/// An open port.
pub trait Listener: Send + 'static {
    /// The next connection, and where it comes from.
    fn accept(&mut self) -> BoxFuture<'_, io::Result<(BoxIo, SocketAddr)>>;

    /// Where it is.
    ///
    /// # Errors
    /// When the network cannot tell.
    fn local_addr(&self) -> io::Result<SocketAddr>;
}

/// The network of a service.
#[derive(Clone, Default)]
pub(crate) enum Network {
    /// The machine's.
    #[default]
    Tcp,
    /// Another one.
    Other(Arc<dyn Listen>),
}

/// An open port of the network of a service.
pub(crate) enum Port {
    Tcp(TcpListener),
    Other(Box<dyn Listener>),
}

/// A connection on its way to the runtime that will serve it.
pub(crate) enum Incoming {
    Tcp(StdTcpStream),
    Other(BoxIo, SocketAddr),
}

/// The bytes of a connection before anybody has made sense of them.
pub(crate) enum Socket {
    /// The machine's own: reached without a detour.
    Tcp(TcpStream),
    /// Another network's.
    Other(BoxIo, SocketAddr),
}

impl fmt::Debug for Network {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Tcp => "Tcp",
            Self::Other(_) => "Other",
        })
    }
}

impl Network {
    /// Whether connections may move to threads of their own.
    pub(crate) const fn has_threads(&self) -> bool {
        matches!(self, Self::Tcp)
    }

    /// Opens the port at `address`.
    pub(crate) async fn listen(&self, address: SocketAddr) -> io::Result<Port> {
        match self {
            Self::Tcp => TcpListener::bind(address).await.map(Port::Tcp),
            Self::Other(network) => network.listen(address).await.map(Port::Other),
        }
    }
}

impl Port {
    /// Where it is.
    pub(crate) fn local_addr(&self) -> io::Result<SocketAddr> {
        match self {
            Self::Tcp(listener) => listener.local_addr(),
            Self::Other(listener) => listener.local_addr(),
        }
    }

    /// The next connection, which the runtime of the caller has let go of.
    pub(crate) async fn accept(&mut self) -> io::Result<Incoming> {
        match self {
            Self::Tcp(listener) => {
                let (stream, _) = listener.accept().await?;
                stream.into_std().map(Incoming::Tcp)
            }
            Self::Other(listener) => {
                let (io, remote) = listener.accept().await?;
                Ok(Incoming::Other(io, remote))
            }
        }
    }
}

impl Incoming {
    /// Hands the connection to the present runtime.
    pub(crate) fn settle(self) -> io::Result<Socket> {
        match self {
            Self::Tcp(stream) => {
                let stream = TcpStream::from_std(stream)?;
                // Small answers leave at once; where that cannot be set, they leave a little later.
                let _ = stream.set_nodelay(true);
                Ok(Socket::Tcp(stream))
            }
            Self::Other(io, remote) => Ok(Socket::Other(io, remote)),
        }
    }
}

impl Socket {
    /// Who is at the other end.
    pub(crate) fn peer_addr(&self) -> Option<SocketAddr> {
        match self {
            Self::Tcp(stream) => stream.peer_addr().ok(),
            Self::Other(_, remote) => Some(*remote),
        }
    }
}

impl AsyncRead for Socket {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        match &mut *self {
            Self::Tcp(stream) => Pin::new(stream).poll_read(cx, buffer),
            Self::Other(io, _) => Pin::new(io).poll_read(cx, buffer),
        }
    }
}

impl AsyncWrite for Socket {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        match &mut *self {
            Self::Tcp(stream) => Pin::new(stream).poll_write(cx, bytes),
            Self::Other(io, _) => Pin::new(io).poll_write(cx, bytes),
        }
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        pieces: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        match &mut *self {
            Self::Tcp(stream) => Pin::new(stream).poll_write_vectored(cx, pieces),
            Self::Other(io, _) => Pin::new(io).poll_write_vectored(cx, pieces),
        }
    }

    fn is_write_vectored(&self) -> bool {
        match self {
            Self::Tcp(stream) => stream.is_write_vectored(),
            Self::Other(io, _) => io.is_write_vectored(),
        }
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match &mut *self {
            Self::Tcp(stream) => Pin::new(stream).poll_flush(cx),
            Self::Other(io, _) => Pin::new(io).poll_flush(cx),
        }
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match &mut *self {
            Self::Tcp(stream) => Pin::new(stream).poll_shutdown(cx),
            Self::Other(io, _) => Pin::new(io).poll_shutdown(cx),
        }
    }
}
