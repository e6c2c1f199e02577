//! Looks at an answer before the caller does, to learn whether it is a failure worth a repetition.
//!
//! A server may say so in the headers (trailers only), or in real trailers after them. Nothing of the
//! answer is lost: what was read is put back in front of the rest.

use crate::attempt::Attempt;
use crate::cause::Cause;
use crate::failure;
use crate::peer::Lost;
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

/// What the headers say of an answer.
pub(crate) enum Verdict {
    /// The caller gets it.
    Answered(http::Response<Held>),
    /// The headers do not tell.
    Open(http::Response<Held>),
    /// It is a failure; the caller gets it unless another attempt is made.
    Failed(Box<Failure>),
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

impl From<Lost> for Failure {
    fn from(lost: Lost) -> Self {
        Self {
            unseen: lost.unseen,
            ..lost.status.into()
        }
    }
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
        Some(code) => Verdict::Failed(Box::new(failed(code, None, response.map(Held::from)))),
        None => Verdict::Open(response.map(Held::from)),
    }
}

/// What is bad about an answer's body.
pub(crate) enum Bad {
    /// The trailers tell of a failure.
    Told(Code, HeaderMap),
    /// There is no more of it.
    Broken(Status),
}

impl Bad {
    /// The failure, with the answer that the caller gets unless another attempt is made.
    pub(crate) fn of(self, response: http::Response<Held>) -> Box<Failure> {
        Box::new(match self {
            Self::Told(code, trailers) => failed(code, Some(trailers), response),
            Self::Broken(status) => status.into(),
        })
    }
}

/// Judges by what follows the headers: up to the first message of a stream, up to the trailers of a
/// single answer.
pub(crate) async fn by_body(
    response: &mut http::Response<Held>,
    server_streaming: bool,
    peer: &str,
    attempt: &mut Attempt,
) -> Result<(), Bad> {
    let body = response.body_mut();
    let mut held = 0;
    while let Some(frame) = body.read().await {
        let frame = frame.map_err(|status| Bad::Broken(failure::classify_body(status, peer)))?;
        match frame.into_trailers() {
            Ok(mut trailers) => {
                let code = attempt.trailers(&mut trailers);
                let told = (code != Code::Ok).then(|| Bad::Told(code, trailers.clone()));
                body.front.push(Frame::trailers(trailers));
                body.rest = None;
                return told.map_or(Ok(()), Err);
            }
            Err(data) => {
                attempt.data();
                held += data.data_ref().map_or(0, Bytes::len);
                body.front.push(data);
                if held > 0 && (server_streaming || held > MAX_HELD_BYTES) {
                    break;
                }
            }
        }
    }
    Ok(())
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
    /// More of what was not read yet.
    async fn read(&mut self) -> Option<Result<Frame<Bytes>, Status>> {
        self.rest.as_mut()?.frame().await
    }

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
