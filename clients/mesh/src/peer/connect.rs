//! How bytes get to a replica, and what is overheard of those that come back.

use super::dial_error::DialError;
use super::frames::{FrameSpy, Word};
use futures::future::BoxFuture;
use std::io;
use std::pin::Pin;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, OnceLock};
use std::task::{Context, Poll, ready};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::sync::watch;

/// A stream of bytes to a replica.
pub trait Io: AsyncRead + AsyncWrite + Unpin + Send + 'static {}

impl<T: AsyncRead + AsyncWrite + Unpin + Send + 'static> Io for T {}

/// A stream of bytes to a replica, whatever its kind.
pub type BoxIo = Box<dyn Io>;

/// Opens streams of bytes to replicas: TCP unless another way is set, such as TLS or a simulated network.
pub trait Connect: Send + Sync + 'static {
    /// Opens one to `address`, given as `HOST:PORT`.
    fn connect(&self, address: &str) -> BoxFuture<'static, io::Result<BoxIo>>;

    /// Resolves once the streams opened before this call are to be replaced by new ones: they stand on
    /// credentials that others have followed. By default never.
    fn outdated(&self) -> BoxFuture<'static, ()> {
        Box::pin(std::future::pending())
    }
}

/// How far a connection has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Phase {
    /// The peer has not said anything yet.
    Opening,
    /// The peer speaks HTTP/2.
    Open,
    /// The peer takes no further calls on it.
    GoingAway,
}

/// A stream of bytes whose incoming HTTP/2 frames are overheard.
pub(super) struct Overheard {
    inner: BoxIo,
    spy: FrameSpy,
    phase: watch::Sender<Phase>,
    max_streams: Arc<AtomicUsize>,
    /// Why nothing more can be read.
    broken: Arc<OnceLock<DialError>>,
}

impl Overheard {
    pub(super) fn new(
        inner: BoxIo,
        phase: watch::Sender<Phase>,
        max_streams: Arc<AtomicUsize>,
        broken: Arc<OnceLock<DialError>>,
    ) -> Self {
        Self {
            inner,
            spy: FrameSpy::default(),
            phase,
            max_streams,
            broken,
        }
    }

    fn hear(&mut self, bytes: &[u8]) {
        let (phase, max_streams) = (&self.phase, &self.max_streams);
        self.spy.push(bytes, |word| match word {
            Word::Settings => {
                phase.send_if_modified(|phase| {
                    let first = *phase == Phase::Opening;
                    if first {
                        *phase = Phase::Open;
                    }
                    first
                });
            }
            Word::MaxStreams(limit) => {
                let limit = usize::try_from(limit).unwrap_or(usize::MAX);
                max_streams.store(limit, Ordering::Relaxed);
            }
            Word::GoAway => {
                phase.send_replace(Phase::GoingAway);
            }
        });
    }
}

impl AsyncRead for Overheard {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let before = buf.filled().len();
        if let Err(error) = ready!(Pin::new(&mut self.inner).poll_read(cx, buf)) {
            // HTTP/2 keeps no cause, and in TLS 1.3 a refused certificate is told only here.
            let told = io::Error::new(error.kind(), error.to_string());
            let _ = self.broken.set(error.into());
            return Poll::Ready(Err(told));
        }
        self.hear(&buf.filled()[before..]);
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for Overheard {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.inner).poll_write(cx, buf)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.inner).poll_write_vectored(cx, bufs)
    }

    fn is_write_vectored(&self) -> bool {
        self.inner.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.inner).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.inner).poll_shutdown(cx)
    }
}
