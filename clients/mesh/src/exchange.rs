//! One attempt: a request goes to a replica, and what comes back is judged.

use crate::attempt::Attempt;
use crate::call::Call;
use crate::names::TRACEPARENT;
use crate::peer::{Mark, Outcome, Sent, Ticket, Wish};
use crate::replay::Replay;
use crate::verdict::{Failure, Verdict, by_body, by_headers};
use http::HeaderValue;
use std::pin::pin;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;
use tonic::body::Body;

/// While others could answer, one replica gets this part of the time that is left to itself.
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
    /// One attempt, at the replica that suits it best. While the answer is late and the call may be repeated,
    /// another replica is asked as well: the first to answer counts.
    pub(crate) async fn attempt(
        &self,
        replay: &mut Replay,
        wish: Wish<'_>,
        sent: &AtomicBool,
    ) -> Tried {
        let ticket = match self.route.peer.take(wish, self.deadline).await {
            Ok(ticket) => ticket,
            Err(status) => return Tried::Failed(status.into(), None),
        };
        sent.store(true, Ordering::Relaxed);
        let bytes = replay.message_bytes();
        let (mark, probe) = (ticket.mark(), ticket.is_probe());
        let first = self.at(ticket, replay.request(), bytes, wish.repeatable);
        let Some(share) = self.share(wish) else {
            return first.await;
        };
        let mut first = pin!(first);
        if let Ok(tried) = tokio::time::timeout(share, first.as_mut()).await {
            return tried;
        }
        let Some(ticket) = self.another(&mark) else {
            return first.await;
        };
        self.meter.hedge();
        self.stamp_attempt(replay.headers_mut(), self.retries.made() + 1);
        // On the heap, because most calls never come so far and need no room for it.
        let mut second = Box::pin(self.at(ticket, replay.request(), bytes, wish.repeatable));
        tokio::select! {
            biased;
            tried = first.as_mut() => or_else(tried, second).await,
            tried = second.as_mut() => {
                if let Tried::Answered(..) = tried {
                    mark.stalled(probe);
                }
                or_else(tried, first).await
            }
        }
    }

    /// How long one replica may take while others could answer.
    fn share(&self, wish: Wish<'_>) -> Option<Duration> {
        let streaming = self.method.is_none_or(|method| method.server_streaming);
        let shared = wish.repeatable && !streaming && self.route.peer.has_choice(self.index);
        let deadline = self.deadline.filter(|_| shared)?;
        Some(deadline.remaining() / SHARE)
    }

    /// A stay at another replica, when the call may be sent once more.
    fn another(&self, mark: &Mark) -> Option<Ticket> {
        let wish = Wish {
            repeatable: true,
            patient: false,
            avoid: Some(mark),
            method: self.index,
        };
        // Last, because it takes something out of the budget.
        if !self.route.may_repeat() {
            return None;
        }
        let ticket = self.route.peer.try_take(wish, self.deadline)?;
        (!ticket.is_at(mark)).then_some(ticket)
    }

    /// One attempt at this replica. The request is sent at once, so that the future does not hold it.
    pub(crate) fn at(
        &self,
        ticket: Ticket,
        mut request: http::Request<Body>,
        bytes: u64,
        repeatable: bool,
    ) -> impl Future<Output = Tried> {
        let streaming = self.method.is_none_or(|method| method.server_streaming);
        let mut meter = self.meter.attempt(self.deadline);
        meter.sent(bytes);
        // What the peer does for this attempt is caused by it, not by the call as a whole.
        if let Some(Ok(trace)) = meter
            .trace()
            .map(|t| HeaderValue::from_bytes(&t.to_bytes()))
        {
            request.headers_mut().insert(TRACEPARENT, trace);
        }
        let mut attempt = Attempt::new(meter, ticket, streaming);
        let judge = repeatable || self.slot.is_some();
        let sending = attempt.ticket().send(request);
        async move {
            match self.exchange(sending, judge, streaming, &mut attempt).await {
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
    }

    /// Judges the answer, as far as a repetition could depend on it.
    async fn exchange(
        &self,
        sending: Result<impl Future<Output = Outcome>, Box<Sent>>,
        judge: bool,
        streaming: bool,
        attempt: &mut Attempt,
    ) -> Exchange {
        let peer = self.route.peer.name();
        let sent = match sending {
            Ok(sending) => attempt.ticket().sent(sending.await, peer),
            Err(unsent) => *unsent,
        };
        let response = match sent {
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
}

/// What was tried first, or when that failed, what is still out.
async fn or_else(tried: Tried, other: impl Future<Output = Tried>) -> Tried {
    match tried {
        Tried::Answered(..) => tried,
        Tried::Returned(_) => other.await,
        Tried::Failed(failure, attempt) => {
            if let Some(mut attempt) = attempt {
                attempt.finish(failure.code, failure.pushback);
            }
            other.await
        }
    }
}

/// What became of a request that a replica was sent.
enum Exchange {
    Returned(http::Request<Body>),
    Judged(Verdict),
}
