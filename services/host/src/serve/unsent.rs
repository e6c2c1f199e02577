//! The pieces of an answer that have not left yet: its client has no room for them, or does not read.

use bytes::Bytes;
use std::convert::Infallible;
use std::pin::Pin;
use std::task::{Context, Poll};
use tokio::sync::oneshot::{self, error::TryRecvError};

/// A piece longer than this is followed until it has left. Shorter ones are not worth it: a client that grants no
/// room can have no more of them kept than it has streams.
const LONG_PIECE: usize = 16 * 1024;

/// The pieces of an answer that have not left yet.
#[derive(Debug, Default)]
pub(super) struct Unsent {
    /// Over when the last long piece has left, and with it all before it.
    last: Option<oneshot::Receiver<Infallible>>,
}

/// A piece that is followed. It is let go of when it has left, and `_leaves` with it.
struct Piece {
    bytes: Bytes,
    _leaves: oneshot::Sender<Infallible>,
}

impl Unsent {
    /// Takes note of when the piece leaves, if it is a long one.
    pub(super) fn follow(&mut self, bytes: Bytes) -> Bytes {
        if bytes.len() <= LONG_PIECE {
            return bytes;
        }
        let (leaves, last) = oneshot::channel();
        self.last = Some(last);
        Bytes::from_owner(Piece {
            bytes,
            _leaves: leaves,
        })
    }

    /// Whether there is any.
    pub(super) fn is_any(&mut self) -> bool {
        let waits = |last: &mut oneshot::Receiver<_>| last.try_recv() == Err(TryRecvError::Empty);
        let any = self.last.as_mut().is_some_and(waits);
        if !any {
            self.last = None;
        }
        any
    }

    /// Ready when there is none.
    pub(super) fn poll_none(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        if let Some(last) = &mut self.last {
            // It never brings anything: that it is over is all there is to know.
            if Pin::new(last).poll(cx).is_pending() {
                return Poll::Pending;
            }
        }
        self.last = None;
        Poll::Ready(())
    }
}

impl AsRef<[u8]> for Piece {
    fn as_ref(&self) -> &[u8] {
        &self.bytes
    }
}
