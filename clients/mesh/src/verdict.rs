//! Looks at an answer before the caller does, to learn whether it is a failure worth a repetition.
//!
//! A server may say so in the headers (trailers only), or in real trailers after them. Nothing of the
//! answer is lost: what was read is put back in front of the rest.

use crate::attempt::Attempt;
use crate::cause::Cause;
use crate::failure;
use crate::retry::Pushback;
use bytes::Bytes;
use http::HeaderMap;
use http_body::Frame;
use http_body_util::BodyExt as _;
use std::collections::VecDeque;
use std::pin::Pin;
use std::task::{Context, Poll};
use tonic::body::Body;
use tonic::{Code, Status};

/// A unary answer is held back until its trailers while it is no larger than this.
const MAX_HELD_BYTES: usize = 1024 * 1024;

/// What an answer turned out to be.
pub(crate) enum Verdict {
    /// The caller gets it.
    Answered(http::Response<Held>),
    /// The headers do not tell.
    Open(http::Response<Body>),
    /// It is a failure; the caller gets it unless another attempt is made.
    Failed(Failure),
}

/// A failed attempt.
pub(crate) struct Failure {
    pub(crate) code: Code,
    pub(crate) pushback: Option<Pushback>,
    pub(crate) answer: Result<http::Response<Held>, Status>,
    /// The trailers, when it was they that told.
    pub(crate) trailers: Option<HeaderMap>,
    /// The peer certainly did nothing about the request.
    pub(crate) unseen: bool,
}

impl From<Status> for Failure {
    fn from(status: Status) -> Self {
        let pushback = Pushback::in_headers(&status.metadata().clone().into_headers());
        Self {
            code: status.code(),
            pushback,
            answer: Err(status),
            trailers: None,
            unseen: false,
        }
    }
}

impl Failure {
    /// The failure as a status, with a cause other than the peer's answer.
    pub(crate) fn into_status(self, cause: Cause) -> Status {
        let told = match self.answer {
            Err(status) => Some(status),
            Ok(response) => {
                let trailers = self.trailers.as_ref().unwrap_or(response.headers());
                Status::from_header_map(trailers)
            }
        };
        cause.of_this(told.unwrap_or_else(|| Status::new(self.code, "")))
    }
}

/// Judges by the headers alone.
pub(crate) fn by_headers(mut response: http::Response<Body>, attempt: &mut Attempt) -> Verdict {
    let told = failure::mend(response.headers_mut());
    attempt.headers(response.headers());
    match told.or_else(|| failure::code_of_http(response.status())) {
        Some(Code::Ok) => Verdict::Answered(response.map(Held::from)),
        Some(code) => Verdict::Failed(failed(code, None, response.map(Held::from))),
        None => Verdict::Open(response),
    }
}

/// Judges by what follows the headers: up to the first message of a stream, up to the trailers of a
/// single answer.
pub(crate) async fn by_body(
    response: http::Response<Body>,
    server_streaming: bool,
    peer: &str,
    attempt: &mut Attempt,
) -> Verdict {
    let (parts, mut rest) = response.into_parts();
    let mut front: Box<Front> = Box::default();
    let mut held = 0;
    loop {
        let frame = match rest.frame().await {
            Some(Ok(frame)) => frame,
            Some(Err(status)) => return Failure::from(failure::classify_body(status, peer)).into(),
            None => break,
        };
        match frame.into_trailers() {
            Ok(mut trailers) => {
                let code = attempt.trailers(&mut trailers);
                let told = (code != Code::Ok).then(|| trailers.clone());
                front.push(Frame::trailers(trailers));
                let response = http::Response::from_parts(parts, Held { front, rest: None });
                return match told {
                    None => Verdict::Answered(response),
                    Some(told) => Verdict::Failed(failed(code, Some(told), response)),
                };
            }
            Err(data) => {
                attempt.data();
                held += data.data_ref().map_or(0, Bytes::len);
                front.push(data);
                if held > 0 && (server_streaming || held > MAX_HELD_BYTES) {
                    break;
                }
            }
        }
    }
    let rest = Some(rest);
    Verdict::Answered(http::Response::from_parts(parts, Held { front, rest }))
}

impl From<Failure> for Verdict {
    fn from(failure: Failure) -> Self {
        Self::Failed(failure)
    }
}

fn failed(code: Code, trailers: Option<HeaderMap>, response: http::Response<Held>) -> Failure {
    let told = trailers.as_ref().unwrap_or(response.headers());
    Failure {
        code,
        pushback: Pushback::in_headers(told),
        answer: Ok(response),
        trailers,
        unseen: false,
    }
}

/// Frames that were read already. An answer nearly always has two, which need no list.
#[derive(Default)]
struct Front {
    first: Option<Frame<Bytes>>,
    second: Option<Frame<Bytes>>,
    others: VecDeque<Frame<Bytes>>,
}

impl Front {
    fn push(&mut self, frame: Frame<Bytes>) {
        match (&self.first, &self.second) {
            (None, _) => self.first = Some(frame),
            (Some(_), None) => self.second = Some(frame),
            (Some(_), Some(_)) => self.others.push_back(frame),
        }
    }

    /// The next one; nothing may be pushed from then on.
    fn pop(&mut self) -> Option<Frame<Bytes>> {
        let first = self.first.take().or_else(|| self.second.take());
        first.or_else(|| self.others.pop_front())
    }
}

/// A body some of which was read already.
pub(crate) struct Held {
    /// On the heap, for an answer is moved from hand to hand until it is judged.
    front: Box<Front>,
    rest: Option<Body>,
}

impl From<Body> for Held {
    fn from(body: Body) -> Self {
        Self {
            front: Box::default(),
            rest: Some(body),
        }
    }
}

impl Held {
    /// What was read already, piece by piece.
    pub(crate) fn pop(&mut self) -> Option<Frame<Bytes>> {
        self.front.pop()
    }
}

impl http_body::Body for Held {
    type Data = Bytes;
    type Error = Status;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Status>>> {
        if let Some(frame) = self.pop() {
            return Poll::Ready(Some(Ok(frame)));
        }
        match &mut self.rest {
            Some(rest) => Pin::new(rest).poll_frame(cx),
            None => Poll::Ready(None),
        }
    }
}
