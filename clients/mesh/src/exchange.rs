//! One attempt: a request goes to a replica, and what comes back is judged.

use crate::attempt::Attempt;
use crate::call::Call;
use crate::cause::Cause;
use crate::metadata::TRACEPARENT;
use crate::peer::{Sent, Ticket, Wish};
use crate::verdict::{Failure, Verdict, by_body, by_headers};
use http::HeaderValue;
use std::sync::atomic::{AtomicBool, Ordering};
use tonic::body::Body;
use tonic::{Code, Status};

/// While others could answer, one replica gets this part of the time that is left.
const SHARE: u32 = 2;

/// What became of one attempt.
pub(crate) enum Tried {
    /// The caller gets the answer.
    Answered(http::Response<Body>, Attempt),
    /// The request never left.
    Returned(http::Request<Body>),
    /// It failed, before or after it was sent to a replica.
    Failed(Failure, Option<Attempt>),
}

impl Call {
    /// One attempt, at the replica that suits it best.
    pub(crate) async fn attempt(
        &self,
        request: http::Request<Body>,
        bytes: u64,
        wish: Wish<'_>,
        sent: &AtomicBool,
    ) -> Tried {
        let ticket = match self.route.peer.take(wish, self.deadline).await {
            Ok(ticket) => ticket,
            Err(status) => return Tried::Failed(status.into(), None),
        };
        sent.store(true, Ordering::Relaxed);
        self.at(ticket, request, bytes, wish.repeatable).await
    }

    /// One attempt at this replica; while it may be repeated at another, it gets no more than its share of
    /// the time.
    pub(crate) async fn at(
        &self,
        ticket: Ticket,
        mut request: http::Request<Body>,
        bytes: u64,
        repeatable: bool,
    ) -> Tried {
        let streaming = self.method.is_none_or(|method| method.server_streaming);
        let mut meter = self.meter.attempt(self.deadline);
        meter.sent(bytes);
        // What the peer does for this attempt is caused by it, not by the call as a whole.
        if let Some(Ok(trace)) = meter.trace().map(|t| HeaderValue::from_str(&t.to_string())) {
            request.headers_mut().insert(TRACEPARENT, trace);
        }
        let mut attempt = Attempt::new(meter, ticket, streaming);
        let peer = &self.route.peer;
        let share = self
            .deadline
            .filter(|_| repeatable && !streaming && peer.has_choice(self.index))
            .map(|deadline| deadline.remaining() / SHARE);
        let exchange = self.exchange(
            request,
            repeatable || self.slot.is_some(),
            streaming,
            &mut attempt,
        );
        let verdict = match share {
            None => exchange.await,
            Some(share) => match tokio::time::timeout(share, exchange).await {
                Ok(verdict) => verdict,
                Err(_) => Exchange::Judged(Verdict::Failed(self.stalled().into())),
            },
        };
        match verdict {
            Exchange::Returned(request) => {
                attempt.unseen();
                Tried::Returned(request)
            }
            Exchange::Judged(Verdict::Answered(response) | Verdict::Open(response)) => {
                Tried::Answered(response, attempt)
            }
            Exchange::Judged(Verdict::Failed(failure)) => Tried::Failed(failure, Some(attempt)),
        }
    }

    /// Sends the request and judges the answer, as far as a repetition could depend on it.
    async fn exchange(
        &self,
        request: http::Request<Body>,
        judge: bool,
        streaming: bool,
        attempt: &mut Attempt,
    ) -> Exchange {
        let peer = self.route.peer.name();
        let response = match attempt.ticket().send(request, peer).await {
            Sent::Answered(response) => response,
            Sent::Returned(request) => return Exchange::Returned(request),
            Sent::Lost(lost) => {
                let mut failure = Failure::from(lost.status);
                failure.unseen = lost.unseen;
                return Exchange::Judged(Verdict::Failed(failure));
            }
        };
        Exchange::Judged(match by_headers(response, attempt) {
            Verdict::Open(response) if judge => by_body(response, streaming, peer, attempt).await,
            verdict => verdict,
        })
    }

    fn stalled(&self) -> Status {
        Cause::Stalled.status(
            Code::Unavailable,
            format!(
                "a replica of peer {} did not answer in its share of the time",
                self.route.peer.name()
            ),
        )
    }
}

/// What became of a request that a replica was sent.
enum Exchange {
    Returned(http::Request<Body>),
    Judged(Verdict),
}
