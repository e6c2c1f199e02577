//! Copies of a slow call, sent to other replicas; the first good answer counts.

use crate::attempt::Attempt;
use crate::attempts::give_up;
use crate::call::Call;
use crate::exchange::Tried;
use crate::peer::Wish;
use crate::policy::HedgingPolicy;
use crate::replay::Replay;
use crate::retry::Pushback;
use crate::verdict::{Failure, Held};
use futures::StreamExt as _;
use futures::stream::FuturesUnordered;
use std::sync::atomic::{AtomicBool, Ordering};
use tokio::time::{Instant, sleep_until};
use tonic::Status;

/// However a policy is written, no call is out more often at a time.
const MAX_COPIES: u32 = 5;

/// What the policy says of a failed copy.
enum Failed {
    /// The call may yet succeed: the next copy goes out at once.
    Hurry,
    /// The call may yet succeed: no more copies go out.
    Wait,
    /// The call has failed.
    Fatal,
}

impl Call {
    /// Sends copies of the call until one is answered, or all that the policy allows have failed.
    pub(crate) async fn hedged(
        &self,
        policy: &HedgingPolicy,
        replay: &mut Replay,
        sent: &AtomicBool,
    ) -> Result<(http::Response<Held>, Attempt), Status> {
        let copies = policy.max_attempts.clamp(1, MAX_COPIES);
        let mut out = FuturesUnordered::new();
        let mut last: Option<(Failure, Option<Attempt>)> = None;
        let mut made = 0;
        let mut next = Some(Instant::now());
        let mut avoid = None;
        loop {
            if out.is_empty() && next.is_none() {
                let (failure, attempt) = last.unwrap_or_else(|| (self.never_sent(), None));
                return give_up(failure, attempt, None);
            }
            let due = async move {
                match next {
                    Some(due) => sleep_until(due).await,
                    None => std::future::pending().await,
                }
            };
            tokio::select! {
                biased;
                Some(tried) = out.next(), if !out.is_empty() => match tried {
                    Tried::Answered(response, attempt) => {
                        self.route.throttle.success();
                        return Ok((response, attempt));
                    }
                    Tried::Returned(_) => next = Some(Instant::now()),
                    Tried::Failed(failure, attempt) => {
                        match self.judge(policy, &failure) {
                            Failed::Fatal => return give_up(failure, attempt, None),
                            Failed::Hurry if made < copies => next = Some(Instant::now()),
                            Failed::Hurry | Failed::Wait => next = None,
                        }
                        last = Some((failure, attempt));
                    }
                },
                () = due => {
                    // Copies cost what repetitions cost, and are bounded with them.
                    if made > 0 && !self.route.may_repeat() {
                        next = None;
                        continue;
                    }
                    let wish = Wish {
                        repeatable: true,
                        patient: out.is_empty() && self.is_patient(),
                        avoid: avoid.as_ref(),
                        method: self.index,
                    };
                    // A copy does not wait for room: meanwhile nobody would hear the answer to the first.
                    let ticket = if out.is_empty() {
                        self.route.peer.take(wish, self.deadline).await?
                    } else if let Some(ticket) = self.route.peer.try_take(wish, self.deadline) {
                        ticket
                    } else {
                        next = None;
                        continue;
                    };
                    avoid = Some(ticket.mark());
                    sent.store(true, Ordering::Relaxed);
                    out.push(self.at(ticket, replay, made, true));
                    if made > 0 {
                        self.meter.hedge();
                    }
                    made += 1;
                    next = (made < copies).then(|| Instant::now() + policy.delay);
                }
            }
        }
    }

    fn judge(&self, policy: &HedgingPolicy, failure: &Failure) -> Failed {
        if !policy.non_fatal_codes.contains(&failure.code) {
            return Failed::Fatal;
        }
        self.route.throttle.failure();
        match failure.pushback {
            Some(Pushback::Never | Pushback::After(_)) => Failed::Wait,
            None => Failed::Hurry,
        }
    }
}
