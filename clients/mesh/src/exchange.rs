//! One attempt: a request goes to a replica, and what comes back is judged.

use crate::attempt::Attempt;
use crate::call::Call;
use crate::deadline::Deadline;
use crate::peer::{Mark, Sent, Ticket, Wish};
use crate::replay::Replay;
use crate::verdict::{Failure, Held, Verdict, by_body, by_headers};
use std::pin::pin;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;
use tonic::body::Body;

/// While others could answer, one replica gets this part of the time that is left to itself.
///
/// That is not the hedging of a policy, which answers a delay of its choice to make slow answers rare: it is the
/// timeout of a single attempt, for which gRPC has no word, without throwing away an answer that may yet come. A
/// replica that has gone silent costs its callers half their time instead of all of it.
const SHARE: u32 = 2;

/// What became of one attempt.
pub(crate) enum Tried {
    /// The caller gets the answer.
    Answered(http::Response<Held>, Attempt),
    /// The request never left.
    Returned(http::Request<Body>),
    /// It failed, before or after it was sent to a replica.
    Failed(Failure, Option<Attempt>),
}

impl Call {
    /// One attempt, at the replica that suits it best. While the answer is late and the call may be repeated,
    /// another replica is asked as well: the first to answer counts. Such a copy is one of the attempts that the
    /// policy allows, and is paid for out of the same budget.
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
        let made = self.retries.made();
        let Some(share) = self.share(wish) else {
            let judge = wish.repeatable;
            return self.at(ticket, replay, made, judge).await;
        };
        let (mark, probe) = (ticket.mark(), ticket.is_probe());
        let mut first = pin!(self.at(ticket, replay, made, true));
        if let Ok(tried) = tokio::time::timeout(share, first.as_mut()).await {
            return tried;
        }
        let Some(ticket) = self.another(&mark) else {
            return first.await;
        };
        self.meter.hedge();
        self.retries.copied();
        let made = self.retries.made();
        // On the heap, because most calls never come so far and need no room for it.
        let mut second = Box::pin(self.at(ticket, replay, made, true));
        tokio::select! {
            biased;
            tried = first.as_mut() => self.or_else(tried, second).await,
            tried = second.as_mut() => {
                if self.is_final(&tried) {
                    mark.stalled(probe);
                }
                self.or_else(tried, first).await
            }
        }
    }

    /// Whether no other replica could do better.
    fn is_final(&self, tried: &Tried) -> bool {
        match tried {
            Tried::Answered(..) => true,
            Tried::Returned(_) => false,
            Tried::Failed(failure, _) => !self.retries.cover(failure.code),
        }
    }

    /// What was tried first, or when that failed in a way that may be repeated, what is still out.
    async fn or_else(&self, tried: Tried, other: impl Future<Output = Tried>) -> Tried {
        if self.is_final(&tried) {
            return tried;
        }
        if let Tried::Failed(failure, Some(mut attempt)) = tried {
            attempt.finish(failure.code, failure.pushback);
        }
        other.await
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
        let ticket = self.route.peer.try_take(wish, self.deadline)?;
        // The budget last: to ask takes something out of it.
        (!ticket.is_at(mark) && self.route.may_repeat()).then_some(ticket)
    }

    /// One attempt at this replica, after so many others. The request is sent at once, so that the future does not
    /// hold it.
    pub(crate) fn at<'a>(
        &'a self,
        ticket: Ticket,
        replay: &mut Replay,
        made: u32,
        repeatable: bool,
    ) -> impl Future<Output = Tried> + use<'a> {
        let streaming = self.method.is_none_or(|method| method.server_streaming);
        let mut meter = self.meter.attempt(ticket.start(), self.deadline);
        meter.sent(replay.message_bytes());
        let mut request = replay.request();
        let until = |deadline: Deadline| deadline.at().saturating_duration_since(ticket.start());
        let left = self.deadline.map(until);
        let headers = request.headers_mut();
        self.stamp.write(headers, meter.trace(), left, made);
        let mut attempt = Attempt::new(meter, ticket, streaming);
        let judge = repeatable || self.slot.is_some();
        let sending = attempt.ticket().send(request);
        async move {
            let sent = match sending {
                Ok(sending) => attempt.ticket().sent(sending.await, self.route.peer.name()),
                Err(unsent) => *unsent,
            };
            match self.verdict(sent, judge, &mut attempt).await {
                Err(request) => {
                    attempt.unseen();
                    Tried::Returned(request)
                }
                Ok(Verdict::Answered(response)) => Tried::Answered(response, attempt),
                Ok(Verdict::Open(response)) => Tried::Answered(response.map(Held::from), attempt),
                Ok(Verdict::Failed(failure)) => Tried::Failed(failure, Some(attempt)),
            }
        }
    }

    /// Judges what came of a request, as far as a repetition could depend on it; the request itself when it never
    /// left.
    async fn verdict(
        &self,
        sent: Sent,
        judge: bool,
        attempt: &mut Attempt,
    ) -> Result<Verdict, http::Request<Body>> {
        let response = match sent {
            Sent::Answered(response) => response,
            Sent::Returned(request) => return Err(request),
            Sent::Lost(lost) => {
                let mut failure = Failure::from(lost.status);
                failure.unseen = lost.unseen;
                return Ok(Verdict::Failed(failure));
            }
        };
        Ok(match by_headers(response, attempt) {
            Verdict::Open(response) if judge => {
                let streaming = self.method.is_none_or(|method| method.server_streaming);
                by_body(response, streaming, self.route.peer.name(), attempt).await
            }
            verdict => verdict,
        })
    }
}
