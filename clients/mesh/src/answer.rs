//! The body of an answer on its way to the caller: still under the deadline, still measured.

use crate::attempt::Attempt;
use crate::cache::Keeping;
use crate::cause::Cause;
use crate::deadline::Deadline;
use crate::failure;
use crate::framing::{FrameMeter, MAX_MESSAGE_BYTES};
use crate::metrics::CallMeter;
use crate::peer::Peer;
use crate::verdict::Held;
use bytes::Bytes;
use http_body::Frame;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use tokio::time::Sleep;
use tonic::body::Body;
use tonic::{Code, Status};

/// An answer's body and what must be known when it ends.
pub(crate) struct AnswerBody {
    inner: Option<Held>,
    deadline: Option<Deadline>,
    /// Set once there is something to wait for.
    expiry: Option<Pin<Box<Sleep>>>,
    frames: FrameMeter,
    call: CallMeter,
    attempt: Attempt,
    peer: Arc<Peer>,
    /// The answer's way into the cache.
    keeping: Option<Keeping>,
}

impl AnswerBody {
    /// Wraps the body of `response`, which answers the call for good.
    pub(crate) fn wrap(
        response: http::Response<Held>,
        deadline: Option<Deadline>,
        peer: Arc<Peer>,
        mut call: CallMeter,
        mut attempt: Attempt,
        keeping: Option<Keeping>,
    ) -> http::Response<Body> {
        if let Some(code) = failure::code_in(response.headers()) {
            attempt.ended(code, response.headers());
            conclude(&mut call, code, Cause::Refused);
            return response.map(Body::new);
        }
        response.map(|body| {
            Body::new(Self {
                inner: Some(body),
                deadline,
                expiry: None,
                frames: FrameMeter::new(MAX_MESSAGE_BYTES),
                call,
                attempt,
                peer,
                keeping,
            })
        })
    }

    /// Ends the body: the peer's stream is dropped, the meters learn how it went.
    fn end(&mut self, code: Code, cause: Cause) {
        self.inner = None;
        self.attempt.received(self.frames.bytes());
        self.attempt.finish(code, None);
        conclude(&mut self.call, code, cause);
    }

    /// Ready once the deadline has passed.
    fn poll_expiry(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        let Some(deadline) = self.deadline else {
            return Poll::Pending;
        };
        let sleep = || Box::pin(tokio::time::sleep_until(deadline.at()));
        self.expiry.get_or_insert_with(sleep).as_mut().poll(cx)
    }

    fn fail(&mut self, status: Status) -> Poll<Option<Result<Frame<Bytes>, Status>>> {
        self.end(status.code(), Cause::of_failure(&status));
        Poll::Ready(Some(Err(status)))
    }

    /// Takes note of a frame that goes to the caller.
    fn pass(&mut self, frame: Frame<Bytes>) -> Poll<Option<Result<Frame<Bytes>, Status>>> {
        match frame.into_data() {
            Ok(data) => {
                self.attempt.data();
                if let Some(keeping) = &mut self.keeping {
                    keeping.push(&data);
                }
                match self.frames.push(&data) {
                    Ok(()) => Poll::Ready(Some(Ok(Frame::data(data)))),
                    Err(large) => self.fail(
                        Cause::MessageTooLarge.status(Code::ResourceExhausted, large.to_string()),
                    ),
                }
            }
            Err(frame) => {
                let mut trailers = frame.into_trailers().unwrap_or_default();
                let code = self.attempt.trailers(&mut trailers);
                self.attempt.ended(code, &trailers);
                self.end(code, Cause::Refused);
                if let Some(keeping) = self.keeping.take().filter(|_| code == Code::Ok) {
                    keeping.done();
                }
                Poll::Ready(Some(Ok(Frame::trailers(trailers))))
            }
        }
    }
}

/// The call has its final status.
fn conclude(call: &mut CallMeter, code: Code, cause: Cause) {
    match code {
        Code::Ok => call.finish(code),
        code => call.fail(code, cause),
    }
}

impl http_body::Body for AnswerBody {
    type Data = Bytes;
    type Error = Status;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Status>>> {
        let Some(inner) = &mut self.inner else {
            return Poll::Ready(None);
        };
        if let Some(frame) = inner.pop() {
            return self.pass(frame);
        }
        let polled = Pin::new(inner).poll_frame(cx);
        // Asked after the peer, so that an answer that is there is not thrown away; and in any case, so
        // that a peer that never stops sending does not outrun its deadline.
        let expired = match &polled {
            Poll::Pending => self.poll_expiry(cx).is_ready(),
            Poll::Ready(_) => self.deadline.is_some_and(Deadline::has_passed),
        };
        match polled {
            Poll::Ready(Some(Ok(frame))) if !expired || frame.is_trailers() => self.pass(frame),
            Poll::Ready(Some(Err(status))) if !expired => {
                let status = failure::classify_body(status, self.peer.name());
                self.fail(status)
            }
            Poll::Ready(None) => {
                self.end(Code::Unknown, Cause::NotGrpc);
                Poll::Ready(None)
            }
            _ if expired => {
                let status = self.peer.expired(true);
                self.fail(status)
            }
            _ => Poll::Pending,
        }
    }
}
