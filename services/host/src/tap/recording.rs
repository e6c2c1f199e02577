//! The beginning of a call's messages, kept until the call is over.

use super::{Taps, Viewer};
use cleave_mesh::context::CallContext;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, SystemTime};
use tonic::Code;

/// Bytes kept of each direction of a call.
pub(super) const KEPT_BYTES: usize = 64 * 1024;

/// One direction of a call as it comes by, with gRPC's frames around the messages. Clones are the same tape.
#[derive(Debug, Clone, Default)]
pub(crate) struct Tape {
    kept: Arc<Mutex<Vec<u8>>>,
}

impl Tape {
    /// Keeps what there is room for. Copied, not shared: a shared piece would keep a whole buffer of the
    /// connection alive.
    pub(crate) fn push(&self, piece: &[u8]) {
        let mut kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        let room = KEPT_BYTES.saturating_sub(kept.len()).min(piece.len());
        kept.extend_from_slice(&piece[..room]);
    }

    fn take(&self) -> Vec<u8> {
        std::mem::take(&mut *self.kept.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

/// What is known of a call that has ended.
#[derive(Debug)]
pub(crate) struct Recorded {
    pub(super) began: SystemTime,
    pub(super) path: String,
    pub(super) context: CallContext,
    pub(super) remote: Option<SocketAddr>,
    pub(super) code: Code,
    pub(super) duration: Duration,
    pub(super) request: Direction,
    pub(super) response: Direction,
}

/// What came by in one direction.
#[derive(Debug)]
pub(super) struct Direction {
    /// Bytes of all messages.
    pub(super) bytes: u64,
    /// The beginning, in gRPC's frames.
    pub(super) kept: Vec<u8>,
}

/// Follows a call that somebody may want to see.
#[derive(Debug)]
pub(crate) struct Recorder {
    taps: Taps,
    viewers: Vec<Arc<Viewer>>,
    began: SystemTime,
    request: Tape,
    response: Tape,
}

/// How a call ended.
pub(crate) struct End<'a> {
    pub(crate) path: &'a str,
    pub(crate) context: &'a CallContext,
    pub(crate) remote: Option<SocketAddr>,
    pub(crate) code: Code,
    pub(crate) duration: Duration,
    pub(crate) received: u64,
    pub(crate) sent: u64,
}

impl Recorder {
    #[allow(
        clippy::disallowed_methods,
        reason = "when a call began is told to people; nothing is decided by it"
    )]
    pub(super) fn new(taps: Taps, viewers: Vec<Arc<Viewer>>) -> Self {
        Self {
            taps,
            viewers,
            began: SystemTime::now(),
            request: Tape::default(),
            response: Tape::default(),
        }
    }

    /// Where the request's bytes go.
    pub(crate) fn request(&self) -> Tape {
        self.request.clone()
    }

    /// A piece of the answer.
    pub(crate) fn sent(&self, piece: &[u8]) {
        self.response.push(piece);
    }

    /// Hands the call to those who want to see it.
    pub(crate) fn finish(self, end: &End<'_>) {
        let call = Arc::new(Recorded {
            began: self.began,
            path: end.path.to_owned(),
            context: end.context.clone(),
            remote: end.remote,
            code: end.code,
            duration: end.duration,
            request: Direction {
                bytes: end.received,
                kept: self.request.take(),
            },
            response: Direction {
                bytes: end.sent,
                kept: self.response.take(),
            },
        });
        for viewer in &self.viewers {
            viewer.offer(&call);
        }
    }
}

impl Drop for Recorder {
    fn drop(&mut self) {
        self.taps.recorder_done();
    }
}
