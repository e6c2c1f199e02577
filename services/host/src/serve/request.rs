//! The body of a request on its way to the handler: measured, and no message beyond the limit.

use bytes::Bytes;
use cleave_mesh::framing::FrameMeter;
use http_body::{Body, Frame, SizeHint};
use hyper::body::Incoming;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::task::{Context, Poll};
use tonic::Status;

/// A request's body.
#[derive(Debug)]
pub(super) struct RequestBody {
    inner: Incoming,
    frames: FrameMeter,
    received: Arc<AtomicU64>,
}

impl RequestBody {
    /// Lets messages of up to `limit` bytes pass; adds up in `received` what does.
    pub(super) fn new(inner: Incoming, limit: usize, received: Arc<AtomicU64>) -> Self {
        Self {
            inner,
            frames: FrameMeter::new(limit),
            received,
        }
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
            return Poll::Pending;
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
            return Poll::Ready(Some(Err(Status::resource_exhausted(large.to_string()))));
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
