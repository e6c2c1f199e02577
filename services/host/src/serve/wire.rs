//! The bytes of a connection, over TLS or not, and whether its client has begun to speak HTTP/2.

use super::listen::Socket;
use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::sync::Notify;
use tokio_rustls::server::TlsStream;

/// Every client begins with so many bytes.
const PREFACE: usize = 24;

/// The bytes of a connection.
pub(super) enum Wire {
    /// As they are.
    Plain(Socket),
    /// Encrypted.
    Tls(Box<TlsStream<Socket>>),
}

/// Whether a client has sent its preface.
#[derive(Debug, Default)]
pub(super) struct Preface {
    complete: AtomicBool,
    changed: Notify,
}

impl Preface {
    /// Waits until the client has sent all of it.
    pub(super) async fn complete(&self) {
        while !self.complete.load(Ordering::Acquire) {
            self.changed.notified().await;
        }
    }

    fn is_complete(&self) -> bool {
        self.complete.load(Ordering::Relaxed)
    }

    fn set(&self) {
        self.complete.store(true, Ordering::Release);
        self.changed.notify_one();
    }
}

/// The bytes of a connection whose beginning is watched.
pub(super) struct Watched {
    wire: Wire,
    read: usize,
    preface: Arc<Preface>,
}

impl Watched {
    pub(super) fn new(wire: Wire) -> (Self, Arc<Preface>) {
        let preface = Arc::<Preface>::default();
        let watched = Self {
            wire,
            read: 0,
            preface: Arc::clone(&preface),
        };
        (watched, preface)
    }
}

impl AsyncRead for Watched {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let before = buffer.filled().len();
        let polled = match &mut self.wire {
            Wire::Plain(stream) => Pin::new(stream).poll_read(cx, buffer),
            Wire::Tls(stream) => Pin::new(stream).poll_read(cx, buffer),
        };
        if !self.preface.is_complete() {
            self.read += buffer.filled().len() - before;
            if self.read >= PREFACE {
                self.preface.set();
            }
        }
        polled
    }
}

impl AsyncWrite for Watched {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        match &mut self.wire {
            Wire::Plain(stream) => Pin::new(stream).poll_write(cx, bytes),
            Wire::Tls(stream) => Pin::new(stream).poll_write(cx, bytes),
        }
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        pieces: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        match &mut self.wire {
            Wire::Plain(stream) => Pin::new(stream).poll_write_vectored(cx, pieces),
            Wire::Tls(stream) => Pin::new(stream).poll_write_vectored(cx, pieces),
        }
    }

    fn is_write_vectored(&self) -> bool {
        match &self.wire {
            Wire::Plain(stream) => stream.is_write_vectored(),
            Wire::Tls(stream) => stream.is_write_vectored(),
        }
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match &mut self.wire {
            Wire::Plain(stream) => Pin::new(stream).poll_flush(cx),
            Wire::Tls(stream) => Pin::new(stream).poll_flush(cx),
        }
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match &mut self.wire {
            Wire::Plain(stream) => Pin::new(stream).poll_shutdown(cx),
            Wire::Tls(stream) => Pin::new(stream).poll_shutdown(cx),
        }
    }
}
