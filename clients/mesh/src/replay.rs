//! A request that can be sent again.

use crate::framing::FrameMeter;
use bytes::{Bytes, BytesMut};
use http::HeaderMap;
use http_body::{Body as _, Frame};
use http_body_util::{BodyExt as _, StreamBody};
use std::pin::{Pin, pin};
use std::task::{Context, Poll};
use tonic::Status;
use tonic::body::Body;

/// The largest request that is kept for a repetition.
pub(crate) const MAX_REPLAY_BYTES: usize = 256 * 1024;

/// What was kept of a request's body.
pub(crate) enum Kept {
    /// All of it: any number of attempts can be made.
    Whole(Bytes),
    /// It is larger than is kept: one attempt can be made.
    Once(Body),
}

/// The parts of a request that all attempts share.
pub(crate) struct Replay {
    parts: http::request::Parts,
    body: Option<Kept>,
}

impl Replay {
    /// A request that will be sent once, its body as it comes.
    pub(crate) fn once(request: http::Request<Body>) -> Self {
        let (parts, body) = request.into_parts();
        Self {
            parts,
            body: Some(Kept::Once(body)),
        }
    }

    /// Reads the body, up to the limit, so that the request can be sent again.
    pub(crate) async fn keep(&mut self) -> Result<(), Status> {
        if let Some(Kept::Once(body)) = self.body.take() {
            self.body = Some(keep(body).await?);
        }
        Ok(())
    }

    /// Whether another attempt can be made after this one.
    pub(crate) const fn is_repeatable(&self) -> bool {
        matches!(self.body, Some(Kept::Whole(_)))
    }

    /// The request came back unsent.
    pub(crate) fn give_back(&mut self, request: http::Request<Body>) {
        if self.body.is_none() {
            let (parts, body) = request.into_parts();
            self.parts.headers = parts.headers;
            self.body = Some(Kept::Once(body));
        }
    }

    /// All of the body, when it was kept.
    pub(crate) fn bytes(&self) -> Option<Bytes> {
        match &self.body {
            Some(Kept::Whole(bytes)) => Some(bytes.clone()),
            Some(Kept::Once(_)) | None => None,
        }
    }

    /// The bytes of messages in the body, when they are known.
    pub(crate) fn message_bytes(&self) -> u64 {
        match &self.body {
            Some(Kept::Whole(bytes)) => {
                let mut meter = FrameMeter::new(usize::MAX);
                // Without a limit nothing is too large.
                let _ = meter.push(bytes);
                meter.bytes()
            }
            Some(Kept::Once(_)) | None => 0,
        }
    }

    /// The next attempt.
    pub(crate) fn request(&mut self) -> http::Request<Body> {
        let (headers, body) = match self.body.take() {
            Some(Kept::Whole(bytes)) => {
                self.body = Some(Kept::Whole(bytes.clone()));
                (self.parts.headers.clone(), Body::new(Whole(Some(bytes))))
            }
            Some(Kept::Once(body)) => (std::mem::take(&mut self.parts.headers), body),
            None => (HeaderMap::new(), Body::empty()),
        };
        let mut request = http::Request::new(body);
        *request.method_mut() = self.parts.method.clone();
        *request.uri_mut() = self.parts.uri.clone();
        *request.version_mut() = self.parts.version;
        // What layers above have put into the extensions is not for the wire.
        *request.headers_mut() = headers;
        request
    }
}

/// A body of one piece that does not tell its length ahead: messages of gRPC do so themselves, and a header saved
/// is a header less to compress.
struct Whole(Option<Bytes>);

impl http_body::Body for Whole {
    type Data = Bytes;
    type Error = Status;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Status>>> {
        Poll::Ready(self.0.take().map(|bytes| Ok(Frame::data(bytes))))
    }

    fn is_end_stream(&self) -> bool {
        self.0.is_none()
    }
}

/// Reads a body up to the limit.
async fn keep(body: Body) -> Result<Kept, Status> {
    if body.is_end_stream() {
        return Ok(Kept::Whole(Bytes::new()));
    }
    let mut body = body;
    // Nearly always there is one piece, which needs no list.
    let mut first = None;
    let mut others: Vec<Bytes> = Vec::new();
    let mut length = 0;
    while let Some(frame) = body.frame().await {
        let Ok(piece) = frame?.into_data() else {
            continue;
        };
        length += piece.len();
        match &first {
            None => first = Some(piece),
            Some(_) => others.push(piece),
        }
        if length > MAX_REPLAY_BYTES {
            let front = first
                .into_iter()
                .chain(others)
                .map(|piece| Ok(Frame::data(piece)));
            let front = StreamBody::new(futures::stream::iter(front));
            return Ok(Kept::Once(Body::new(Chained {
                front: Some(front),
                rest: body,
            })));
        }
    }
    Ok(Kept::Whole(join(first.unwrap_or_default(), &others)))
}

/// The pieces as one; no copy when there is one.
fn join(first: Bytes, others: &[Bytes]) -> Bytes {
    if others.is_empty() {
        return first;
    }
    let length = others.iter().map(Bytes::len).sum::<usize>() + first.len();
    let mut whole = BytesMut::with_capacity(length);
    whole.extend_from_slice(&first);
    others
        .iter()
        .for_each(|piece| whole.extend_from_slice(piece));
    whole.freeze()
}

/// One body after another.
struct Chained<A> {
    front: Option<A>,
    rest: Body,
}

impl<A> http_body::Body for Chained<A>
where
    A: http_body::Body<Data = Bytes, Error = Status> + Unpin,
{
    type Data = Bytes;
    type Error = Status;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Status>>> {
        if let Some(front) = &mut self.front {
            match pin!(front).poll_frame(cx) {
                Poll::Ready(None) => self.front = None,
                other => return other,
            }
        }
        pin!(&mut self.rest).poll_frame(cx)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn request(length: usize) -> http::Request<Body> {
        let pieces = vec![7_u8; length];
        let frames: Vec<_> = pieces
            .chunks(1 + length / 3)
            .map(|piece| Ok::<_, Status>(Frame::data(Bytes::copy_from_slice(piece))))
            .collect();
        http::Request::new(Body::new(StreamBody::new(futures::stream::iter(frames))))
    }

    async fn read(request: http::Request<Body>) -> usize {
        request
            .into_body()
            .collect()
            .await
            .expect("body")
            .to_bytes()
            .len()
    }

    #[tokio::test]
    async fn a_small_request_can_be_sent_again_and_again() {
        let mut replay = Replay::once(request(1_000));
        replay.keep().await.expect("kept");
        assert!(replay.is_repeatable());
        assert_eq!(read(replay.request()).await, 1_000);
        assert_eq!(read(replay.request()).await, 1_000);
    }

    #[tokio::test]
    async fn a_large_request_is_sent_once_and_whole() {
        let length = MAX_REPLAY_BYTES * 2;
        let mut replay = Replay::once(request(length));
        replay.keep().await.expect("kept");
        assert!(!replay.is_repeatable());
        assert_eq!(read(replay.request()).await, length);
    }
}
