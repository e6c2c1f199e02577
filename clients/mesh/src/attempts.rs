//! The attempts of one call, until one is answered or fails for good.

use crate::attempt::Attempt;
use crate::call::Call;
use crate::cause::Cause;
use crate::metadata::{GRPC_TIMEOUT, PREVIOUS_ATTEMPTS};
use crate::metrics::{code_name, method_name};
use crate::peer::{Mark, Sent, Wish};
use crate::replay::Replay;
use crate::timeout;
use crate::verdict::{Failure, Verdict, by_body, by_headers};
use http::{HeaderMap, HeaderValue};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;
use tokio::time::Instant;
use tonic::body::Body;
use tonic::{Code, Status};

/// However often the peer goes away before it sees a request, it is not sent more often than this.
const MAX_UNSEEN: u32 = 16;
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

/// What follows a failure.
enum Next {
    /// Another attempt after so long.
    After(Duration),
    /// Nothing: the failure is final, for this cause or its own.
    Final(Option<Cause>),
}

impl Call {
    /// Attempts until one is answered, or fails for good. `sent` tells whether a replica has the call.
    pub(crate) async fn attempts(
        &mut self,
        request: http::Request<Body>,
        sent: &AtomicBool,
    ) -> Result<(http::Response<Body>, Attempt), Status> {
        let whole = self.method.is_some_and(|method| !method.client_streaming);
        let mut replay = match whole {
            true => Replay::keep(request).await?,
            false => Replay::once(request),
        };
        let mut avoid: Option<Mark> = None;
        let mut unseen = 0;
        loop {
            self.stamp_attempt(replay.headers_mut());
            let wish = Wish {
                repeatable: self.retries.remain() && replay.is_repeatable(),
                avoid: avoid.as_ref(),
            };
            let bytes = replay.message_bytes();
            let tried = self.attempt(replay.request(), bytes, wish, sent).await;
            let (failure, attempt) = match tried {
                Tried::Answered(response, attempt) => {
                    self.route.throttle.success();
                    return Ok((response, attempt));
                }
                Tried::Returned(request) if unseen < MAX_UNSEEN => {
                    replay.give_back(request);
                    unseen += 1;
                    self.meter.transparent_retry();
                    continue;
                }
                Tried::Returned(_) => (self.never_sent(), None),
                Tried::Failed(failure, attempt) => (failure, attempt),
            };
            if failure.unseen && replay.is_repeatable() && unseen < MAX_UNSEEN {
                unseen += 1;
                self.meter.transparent_retry();
                if let Some(attempt) = attempt {
                    attempt.unseen();
                }
                continue;
            }
            let next = match wish.repeatable {
                true => self.after(&failure, attempt.is_some()),
                false => Next::Final(None),
            };
            match next {
                Next::Final(cause) => return give_up(failure, attempt, cause),
                Next::After(wait) => {
                    avoid = attempt.map(|mut attempt| {
                        attempt.finish(failure.code, failure.pushback);
                        attempt.mark()
                    });
                    self.meter.retry();
                    tokio::time::sleep(wait).await;
                }
            }
        }
    }

    /// Adds what differs from attempt to attempt.
    fn stamp_attempt(&self, headers: &mut HeaderMap) {
        headers.remove(GRPC_TIMEOUT);
        if let Some(deadline) = self.deadline
            && let Ok(value) = HeaderValue::from_str(&timeout::format(deadline.remaining()))
        {
            headers.insert(GRPC_TIMEOUT, value);
        }
        if self.retries.made() > 0 {
            headers.insert(PREVIOUS_ATTEMPTS, HeaderValue::from(self.retries.made()));
        }
    }

    /// One attempt; while it may be repeated elsewhere, it gets no more than its share of the time.
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
        let streaming = self.method.is_none_or(|method| method.server_streaming);
        let mut meter = self.meter.attempt(self.deadline);
        meter.sent(bytes);
        let mut attempt = Attempt::new(meter, ticket, streaming);
        let peer = &self.route.peer;
        let share = self
            .deadline
            .filter(|_| wish.repeatable && !streaming && peer.has_choice())
            .map(|deadline| deadline.remaining() / SHARE);
        let exchange = self.exchange(request, wish.repeatable, streaming, &mut attempt);
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
        repeatable: bool,
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
            Verdict::Open(response) if repeatable => {
                by_body(response, streaming, peer, attempt).await
            }
            verdict => verdict,
        })
    }

    /// What follows a failure of a call that may be repeated.
    fn after(&mut self, failure: &Failure, sent: bool) -> Next {
        if failure.code == Code::Ok || !self.retries.cover(failure.code) {
            return Next::Final(None);
        }
        let route = &self.route;
        if sent {
            route.throttle.failure();
        }
        let Some(wait) = self.retries.next(failure.pushback) else {
            return Next::Final(None);
        };
        // Rather this failure now than a passed deadline later.
        if self
            .deadline
            .is_some_and(|deadline| deadline.remaining() <= wait)
        {
            return Next::Final(None);
        }
        // What no replica had costs none of them anything.
        if sent && !(route.throttle.allows() && route.budget.take(Instant::now())) {
            tracing::debug!(rpc.peer = route.peer.name(), "retries are throttled");
            return Next::Final(Some(Cause::RetryBudgetEmpty));
        }
        tracing::debug!(
            rpc.peer = route.peer.name(),
            rpc.method = method_name(self.method),
            rpc.status = code_name(failure.code),
            rpc.attempt = self.retries.made() + 1,
            wait_ms = u64::try_from(wait.as_millis()).unwrap_or(u64::MAX),
            "trying again"
        );
        Next::After(wait)
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

    fn never_sent(&self) -> Failure {
        let status = Cause::ConnectionLost.status(
            Code::Unavailable,
            format!(
                "peer {} goes away before it takes a call",
                self.route.peer.name()
            ),
        );
        status.into()
    }
}

/// What became of a request that a replica was sent.
enum Exchange {
    Returned(http::Request<Body>),
    Judged(Verdict),
}

/// The failure is final.
fn give_up(
    failure: Failure,
    attempt: Option<Attempt>,
    cause: Option<Cause>,
) -> Result<(http::Response<Body>, Attempt), Status> {
    let Some(mut attempt) = attempt else {
        return Err(match failure.answer {
            Err(status) => status,
            Ok(_) => failure.into_status(Cause::Unreachable),
        });
    };
    let (code, pushback) = (failure.code, failure.pushback);
    let resort = attempt.is_last_resort().then_some(Cause::Ejected);
    let status = match (cause.or(resort), failure.answer) {
        (None, Ok(response)) => return Ok((response, attempt)),
        (None, Err(status)) => status,
        (Some(cause), answer) => Failure { answer, ..failure }.into_status(cause),
    };
    attempt.finish(code, pushback);
    Err(status)
}
