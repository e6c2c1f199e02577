//! How bytes get to a replica, and what is overheard of those that come back.

use super::dial_error::DialError;
use super::frames::{FrameSpy, Word};
use crate::metrics::Reason;
use futures::future::BoxFuture;
use std::io;
use std::pin::Pin;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, OnceLock};
use std::task::{Context, Poll, ready};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::sync::watch;

/// What a server that speaks TLS alone answers to anything else begins with: an alert of whichever version. In HTTP/2
/// it would begin a frame that is longer than any may be.
const TLS_ALERT: [u8; 2] = [21, 3];

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
    heard: Arc<Heard>,
    /// Nothing has come yet.
    silent: bool,
}

/// What was overheard of a connection.
#[derive(Debug)]
pub(super) struct Heard {
    /// How many streams the peer allows.
    pub(super) max_streams: AtomicUsize,
    /// Why nothing more can be read.
    pub(super) broken: OnceLock<DialError>,
    /// What ended it, as far as the peer had a part in that.
    pub(super) end: OnceLock<Reason>,
}

impl Heard {
    /// Nothing yet; so many streams are taken to be allowed.
    pub(super) const fn new(max_streams: usize) -> Self {
        Self {
            max_streams: AtomicUsize::new(max_streams),
            broken: OnceLock::new(),
            end: OnceLock::new(),
        }
    }

    /// Keeps why nothing more can be read: HTTP/2 does not, and in TLS 1.3 that is where a refused
    /// certificate is told. Answers as much of it as HTTP/2 needs.
    fn broke(&self, error: io::Error) -> io::Error {
        let told = io::Error::new(error.kind(), error.to_string());
        self.ended(reason(error.kind()));
        let _ = self.broken.set(error.into());
        told
    }

    fn ended(&self, reason: Reason) {
        // The first word counts: others only follow from it.
        let _ = self.end.set(reason);
    }
}

/// What a failure to read says of the end.
const fn reason(kind: io::ErrorKind) -> Reason {
    match kind {
        io::ErrorKind::ConnectionReset => Reason::Reset,
        io::ErrorKind::ConnectionAborted => Reason::Aborted,
        io::ErrorKind::TimedOut => Reason::TimedOut,
        _ => Reason::Socket,
    }
}

impl Overheard {
    pub(super) fn new(inner: BoxIo, phase: watch::Sender<Phase>, heard: Arc<Heard>) -> Self {
        Self {
            inner,
            spy: FrameSpy::default(),
            phase,
            heard,
            silent: true,
        }
    }

    /// Nothing can be written any more: the peer may have said why, and nobody would read that.
    fn last_word(&mut self, cx: &mut Context<'_>) {
        let mut bytes = [0; 64];
        let mut rest = ReadBuf::new(&mut bytes);
        match Pin::new(&mut self.inner).poll_read(cx, &mut rest) {
            Poll::Ready(Ok(())) => self.hear(rest.filled()),
            Poll::Ready(Err(error)) => drop(self.heard.broke(error)),
            Poll::Pending => {}
        }
    }

    fn hear(&mut self, bytes: &[u8]) {
        let (phase, heard) = (&self.phase, &self.heard);
        if self.silent && bytes.starts_with(&TLS_ALERT) {
            let _ = heard.broken.set(DialError::NotPlain);
        }
        self.silent &= bytes.is_empty();
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
                heard.max_streams.store(limit, Ordering::Relaxed);
            }
            Word::GoAway(code) => {
                heard.ended(Reason::GoAway(code));
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
            return Poll::Ready(Err(self.heard.broke(error)));
        }
        let read = &buf.filled()[before..];
        if read.is_empty() && buf.remaining() > 0 {
            self.heard.ended(Reason::Unknown);
        }
        self.hear(read);
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for Overheard {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &[u8],
    ) -> Poll<io::Result<usize>> {
        let written = ready!(Pin::new(&mut self.inner).poll_write(cx, buf));
        Poll::Ready(written.inspect_err(|_| self.last_word(cx)))
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let written = ready!(Pin::new(&mut self.inner).poll_write_vectored(cx, bufs));
        Poll::Ready(written.inspect_err(|_| self.last_word(cx)))
    }

    fn is_write_vectored(&self) -> bool {
        self.inner.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let flushed = ready!(Pin::new(&mut self.inner).poll_flush(cx));
        Poll::Ready(flushed.inspect_err(|_| self.last_word(cx)))
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.inner).poll_shutdown(cx)
    }
}
