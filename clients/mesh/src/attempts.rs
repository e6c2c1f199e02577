//! The attempts of one call, until one is answered or fails for good.

use crate::attempt::Attempt;
use crate::cache::Slot;
use crate::call::Call;
use crate::cause::Cause;
use crate::exchange::Tried;
use crate::metrics::{code_name, method_name};
use crate::peer::{Mark, Wish};
use crate::policy::HedgingPolicy;
use crate::replay::Replay;
use crate::verdict::{Failure, Held};
use std::sync::atomic::AtomicBool;
use std::time::Duration;
use tonic::{Code, Status};

/// However often the peer goes away before it sees a request, it is not sent more often than this.
pub(crate) const MAX_UNSEEN: u32 = 16;

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
        replay: &mut Replay,
        sent: &AtomicBool,
    ) -> Result<(http::Response<Held>, Attempt), Status> {
        if self.method.is_some_and(|method| !method.client_streaming) {
            replay.keep().await?;
        }
        let (route, method) = (&self.route, self.method);
        let keeps = |bytes| route.cache.slot(method?, bytes);
        self.slot = replay.bytes().and_then(keeps);
        if let Some(policy) = self.hedging(replay) {
            // On the heap, so that calls without copies do not carry its size.
            return Box::pin(self.hedged(policy, replay, sent)).await;
        }
        let mut avoid: Option<Mark> = None;
        let mut unseen = 0;
        loop {
            let wish = Wish {
                repeatable: self.retries.remain() && replay.is_repeatable(),
                patient: self.is_patient(),
                avoid: avoid.as_ref(),
                method: self.index,
            };
            let tried = self.attempt(replay, wish, sent).await;
            let (failure, attempt) = match tried {
                Tried::Answered(response, attempt) => {
                    self.route.throttle.success();
                    return Ok((response, attempt));
                }
                Tried::Returned(request) if unseen < MAX_UNSEEN => {
                    replay.give_back(*request);
                    unseen += 1;
                    self.meter.transparent_retry();
                    continue;
                }
                Tried::Returned(_) => (Box::new(self.never_sent()), None),
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
                Next::Final(cause) => {
                    // What may be answered out of the cache must be known as a failure here.
                    let known = self.slot.as_ref().map(|_| Cause::Refused);
                    let known = known.filter(|_| failure.answer.is_ok());
                    return give_up(failure, attempt, cause.or(known));
                }
                Next::After(wait) => {
                    avoid = attempt.map(|mut attempt| {
                        attempt.finish(failure.code, failure.pushback);
                        attempt.mark()
                    });
                    tokio::time::sleep(wait).await;
                    self.meter.retry(wait);
                }
            }
        }
    }

    /// Whether nothing can stand in for the answer.
    pub(crate) fn is_patient(&self) -> bool {
        !self.slot.as_ref().is_some_and(Slot::is_filled)
    }

    /// The policy by which copies of a slow call are sent.
    fn hedging(&self, replay: &Replay) -> Option<&'static HedgingPolicy> {
        let hedging = self.retries.copies();
        hedging.filter(|_| replay.is_repeatable())
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
        if sent && !route.may_repeat() {
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

    pub(crate) fn never_sent(&self) -> Failure {
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

/// The failure is final.
pub(crate) fn give_up(
    failure: Box<Failure>,
    attempt: Option<Attempt>,
    cause: Option<Cause>,
) -> Result<(http::Response<Held>, Attempt), Status> {
    let Some(mut attempt) = attempt else {
        return Err(match failure.answer {
            Err(status) => status,
            Ok(_) => failure.into_status(Cause::Unreachable),
        });
    };
    let (code, pushback) = (failure.code, failure.pushback);
    let resort = attempt.is_known_to_fail(code).then_some(Cause::Ejected);
    let status = match (cause.or(resort), failure.answer) {
        (None, Ok(response)) => return Ok((response, attempt)),
        (None, Err(status)) => status,
        (Some(cause), answer) => Failure { answer, ..*failure }.into_status(cause),
    };
    attempt.finish(code, pushback);
    Err(status)
}
