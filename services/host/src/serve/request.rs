//! The body of a request on its way to the handler: measured, no message beyond the limit, and none that
//! takes for ever to arrive.

use crate::status::too_large;
use crate::tap::Tape;
use bytes::Bytes;
use cleave_mesh::framing::FrameMeter;
use http_body::{Body, Frame, SizeHint};
use hyper::body::Incoming;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::task::{Context, Poll};
use std::time::Duration;
use tokio::time::Sleep;
use tonic::Status;

/// What a request may be.
#[derive(Debug, Clone, Copy)]
pub(super) struct Limits {
    /// The longest message.
    pub(super) bytes: usize,
    /// How long a message may take to arrive once it has begun.
    pub(super) time: Duration,
    /// Whether there is one message, which has begun with the call.
    pub(super) unary: bool,
}

/// A request's body.
#[derive(Debug)]
pub(super) struct RequestBody {
    inner: Incoming,
    limits: Limits,
    frames: FrameMeter,
    received: Arc<AtomicU64>,
    /// Where the bytes go too, when somebody watches.
    tape: Option<Tape>,
    /// Runs while a message is under way.
    expiry: Option<Pin<Box<Sleep>>>,
}

impl RequestBody {
    /// Lets messages within the limits pass; adds up in `received` what does.
    pub(super) fn new(
        inner: Incoming,
        limits: Limits,
        received: Arc<AtomicU64>,
        tape: Option<Tape>,
    ) -> Self {
        Self {
            inner,
            limits,
            tape,
            frames: FrameMeter::new(limits.bytes),
            received,
            expiry: None,
        }
    }

    /// Whether the client owes the rest of a message.
    fn owes(&self) -> bool {
        let first = self.limits.unary && self.frames.messages() == 0;
        first || !self.frames.is_between_messages()
    }

    /// Nothing is here: ready once the client has owed for too long.
    fn poll_patience(&mut self, cx: &mut Context<'_>) -> Poll<Status> {
        if !self.owes() {
            self.expiry = None;
            return Poll::Pending;
        }
        let time = self.limits.time;
        let expiry = self
            .expiry
            .get_or_insert_with(|| Box::pin(tokio::time::sleep(time)));
        expiry.as_mut().poll(cx).map(|()| {
            let message = format!("the request did not arrive within {time:?}");
            Status::deadline_exceeded(message)
        })
    }
}

impl Body for RequestBody {
    type Data = Bytes;
    type Error = Status;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Status>>> {
        let Poll::Ready(frame) = Pin::new(&mut self.inner).poll_frame(cx) else {
            return self.poll_patience(cx).map(|late| Some(Err(late)));
        };
        let Some(frame) = frame else {
            return Poll::Ready(None);
        };
        let frame = match frame {
            Ok(frame) => frame,
            // The caller went away. Not CANCELLED, which tonic takes for the regular end of a stream.
            Err(error) => {
                return Poll::Ready(Some(Err(Status::aborted(format!("request lost: {error}")))));
            }
        };
        if let Some(data) = frame.data_ref()
            && let Err(large) = self.frames.push(data)
        {
            return Poll::Ready(Some(Err(too_large(large.to_string()))));
        }
        if let (Some(tape), Some(data)) = (&self.tape, frame.data_ref()) {
            tape.push(data);
        }
        if !self.owes() {
            self.expiry = None;
        }
        self.received.store(self.frames.bytes(), Ordering::Relaxed);
        Poll::Ready(Some(Ok(frame)))
    }

    fn is_end_stream(&self) -> bool {
        self.inner.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.inner.size_hint()
    }
}
