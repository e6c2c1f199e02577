//! One HTTP/2 stream: a call, and its answer for as long as the client leaves a part of it here.
//!
//! While the client grants no room for a piece of an answer, nobody asks the answer for more, so it cannot look at
//! its deadline. That is done here, where the stream can be reset and all that is held for it be dropped.

use hyper::rt::Executor;
use pin_project_lite::pin_project;
use std::cell::Cell;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use tokio::time::{Instant, Sleep};

thread_local! {
    /// When the answer must be over on the stream that runs now.
    static DUE: Cell<Option<Instant>> = const { Cell::new(None) };
}

/// Runs the streams of a connection.
#[derive(Debug, Clone, Copy)]
pub(super) struct Streams;

pin_project! {
    /// A stream that is reset when its answer is due and still not taken.
    struct Timed<F> {
        #[pin]
        stream: F,
        due: Option<Instant>,
        expiry: Option<Pin<Box<Sleep>>>,
    }
}

/// The stream that runs now has its answer, which must be over by then.
pub(super) fn answered(due: Option<Instant>) {
    DUE.set(due);
}

impl<F> Executor<F> for Streams
where
    F: Future<Output = ()> + Send + 'static,
{
    fn execute(&self, stream: F) {
        tokio::spawn(Timed {
            stream,
            due: None,
            expiry: None,
        });
    }
}

impl<F: Future<Output = ()>> Future for Timed<F> {
    type Output = ();

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        let this = self.project();
        DUE.set(*this.due);
        let polled = this.stream.poll(cx);
        *this.due = DUE.take();
        let (Poll::Pending, Some(due)) = (polled, *this.due) else {
            return polled;
        };
        // Most answers leave at once and need no timer.
        let expiry = this
            .expiry
            .get_or_insert_with(|| Box::pin(tokio::time::sleep_until(due)));
        ready!(expiry.as_mut().poll(cx));
        Poll::Ready(())
    }
}
