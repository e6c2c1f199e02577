//! The body of an answer on its way to the caller: under the deadline, within the limit, measured.
//!
//! Headers have gone out by now, so whatever goes wrong is told in the trailers.

use super::unsent::Unsent;
use crate::admission::Permit;
use crate::drain::Drain;
use crate::meter::CallMeter;
use crate::status::too_large;
use bytes::Bytes;
use cleave_mesh::Deadline;
use cleave_mesh::context;
use cleave_mesh::framing::FrameMeter;
use cleave_mesh::metadata::{DRAINING, GRPC_STATUS};
use http::{HeaderMap, HeaderValue, Response};
use http_body::{Body as _, Frame};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::task::{Context, Poll, ready};
use tokio::time::{Instant, Sleep};
use tokio_util::sync::{CancellationToken, WaitForCancellationFutureOwned};
use tonic::body::Body;
use tonic::{Code, Status};

/// What a caller is told whose deadline has passed.
pub(super) fn expired() -> Status {
    Status::deadline_exceeded("the deadline passed while the call was handled")
}

/// What a caller is told when its handler panicked; the log knows more.
pub(super) fn panicked() -> Status {
    Status::internal("an internal error; the service has logged it")
}

/// What a stream ends with that must leave its connection.
pub(super) fn retired(drain: &Drain) -> Status {
    if drain.token().is_cancelled() {
        return drain.status();
    }
    Status::unavailable("the connection has come of age; call again on another")
}

/// What an answer's body must keep to.
pub(super) struct Bounds {
    /// When the call must be over.
    pub(super) deadline: Option<Deadline>,
    /// The longest message.
    pub(super) bytes: usize,
    /// Cancelled when the call must leave its connection; only streams last that long.
    pub(super) retired: Option<CancellationToken>,
    /// The place of a stream, until it is over.
    pub(super) permit: Option<Permit>,
    /// While the service drains, each answer says so.
    pub(super) drain: Drain,
}

/// An answer's body.
pub(super) struct AnswerBody {
    inner: Option<Body>,
    unsent: Unsent,
    /// What comes after it. An answer is over for good with its trailers, so they wait where the deadline is
    /// looked at.
    trailers: Option<HeaderMap>,
    expiry: Option<Pin<Box<Sleep>>>,
    retired: Option<Pin<Box<WaitForCancellationFutureOwned>>>,
    frames: FrameMeter,
    received: Arc<AtomicU64>,
    permit: Option<Permit>,
    drain: Drain,
    meter: CallMeter,
}

impl AnswerBody {
    /// Follows `response` to its end.
    pub(super) fn wrap(
        response: Response<Body>,
        bounds: Bounds,
        received: Arc<AtomicU64>,
        meter: CallMeter,
    ) -> Response<Body> {
        let told = code_in(response.headers());
        let mut response = response;
        if told.is_some() {
            hint(&bounds.drain, response.headers_mut());
        }
        response.map(|body| {
            let expiry = |deadline: Deadline| Box::pin(tokio::time::sleep_until(deadline.at()));
            let retired = |token: CancellationToken| Box::pin(token.cancelled_owned());
            let mut answer = Self {
                inner: Some(body),
                unsent: Unsent::default(),
                trailers: None,
                expiry: bounds.deadline.map(expiry),
                retired: bounds.retired.map(retired),
                frames: FrameMeter::new(bounds.bytes),
                received,
                permit: bounds.permit,
                drain: bounds.drain,
                meter,
            };
            match told {
                Some(code) => {
                    answer.finish(code);
                    Body::empty()
                }
                None => {
                    answer.meter.busy().rest();
                    Body::new(answer)
                }
            }
        })
    }

    fn finish(&mut self, code: Code) {
        self.inner = None;
        self.permit = None;
        self.meter.received(self.received.load(Ordering::Relaxed));
        self.meter.sent(self.frames.bytes());
        self.meter.finish(code);
    }

    /// Ends the body with this status.
    fn end(&mut self, status: &Status) -> Poll<Option<Result<Frame<Bytes>, Status>>> {
        self.close(trailers(status))
    }

    /// Ends the body with these trailers.
    fn close(&mut self, mut trailers: HeaderMap) -> Poll<Option<Result<Frame<Bytes>, Status>>> {
        hint(&self.drain, &mut trailers);
        self.finish(code_in(&trailers).unwrap_or(Code::Unknown));
        Poll::Ready(Some(Ok(Frame::trailers(trailers))))
    }

    /// Lets a piece pass within the limit.
    fn pass(&mut self, data: Bytes) -> Poll<Option<Result<Frame<Bytes>, Status>>> {
        if let Err(large) = self.frames.push(&data) {
            return self.end(&too_large(large.to_string()));
        }
        self.meter.passes(&data);
        Poll::Ready(Some(Ok(Frame::data(self.unsent.follow(data)))))
    }

    /// Polls the handler's body as part of its call; a panic ends this call alone.
    fn poll_inner(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Status>>> {
        let Some(inner) = &mut self.inner else {
            return Poll::Ready(None);
        };
        let context = self.meter.context();
        let poll = || context::enter(context, || Pin::new(inner).poll_frame(cx));
        catch_unwind(AssertUnwindSafe(poll)).unwrap_or_else(|_| Poll::Ready(Some(Err(panicked()))))
    }

    /// The next frame within its bounds.
    fn poll_bounded(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Status>>> {
        if self.inner.is_none() {
            return Poll::Ready(None);
        }
        let expired_now = self
            .expiry
            .as_mut()
            .is_some_and(|expiry| expiry.as_mut().poll(cx).is_ready());
        if expired_now {
            if self.unsent.is_any() {
                // The stream is reset instead, which does away with the piece, too.
                return Poll::Pending;
            }
            return self.end(&expired());
        }
        let retired_now = self
            .retired
            .as_mut()
            .is_some_and(|retired| retired.as_mut().poll(cx).is_ready());
        if retired_now {
            let status = retired(&self.drain);
            return self.end(&status);
        }
        self.poll_next(cx)
    }

    /// The next frame; the last one when all before it have left.
    fn poll_next(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Status>>> {
        let trailers = match self.trailers.take() {
            Some(trailers) => trailers,
            None => match ready!(self.poll_inner(cx)) {
                Some(Ok(frame)) => match frame.into_data() {
                    Ok(data) => return self.pass(data),
                    Err(frame) => frame.into_trailers().unwrap_or_default(),
                },
                Some(Err(status)) => trailers(&status),
                None => {
                    self.finish(Code::Unknown);
                    return Poll::Ready(None);
                }
            },
        };
        if self.unsent.poll_none(cx).is_pending() {
            self.trailers = Some(trailers);
            return Poll::Pending;
        }
        self.close(trailers)
    }
}

/// A status as it follows a body.
fn trailers(status: &Status) -> HeaderMap {
    let mut trailers = HeaderMap::new();
    // What cannot be written as a header is left out; the code always can.
    if status.add_header(&mut trailers).is_err() {
        trailers.insert(GRPC_STATUS, i32::from(status.code()).into());
    }
    trailers
}

/// While the service drains, tells the caller to turn to another replica with its next call: sooner than
/// by any other way.
pub(super) fn hint(drain: &Drain, headers: &mut HeaderMap) {
    if drain.has_begun() {
        headers.insert(DRAINING, HeaderValue::from_static("1"));
    }
}

/// The status code in headers or trailers.
pub(super) fn code_in(headers: &HeaderMap) -> Option<Code> {
    headers
        .get(GRPC_STATUS)
        .map(|value| Code::from_bytes(value.as_bytes()))
}

impl Drop for AnswerBody {
    fn drop(&mut self) {
        let late = |expiry: &Pin<Box<Sleep>>| expiry.deadline() <= Instant::now();
        // Its stream was reset, for the client did not take it in time.
        if self.inner.is_some() && self.expiry.as_ref().is_some_and(late) {
            self.finish(Code::DeadlineExceeded);
        }
    }
}

impl http_body::Body for AnswerBody {
    type Data = Bytes;
    type Error = Status;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Status>>> {
        // Asked for more only while the client takes what there is.
        self.meter.busy().resume();
        let polled = self.poll_bounded(cx);
        // Behind its last piece an answer waits for its client.
        if polled.is_ready() || self.trailers.is_some() {
            self.meter.busy().rest();
        }
        polled
    }
}
