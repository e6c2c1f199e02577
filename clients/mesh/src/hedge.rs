//! Copies of a slow call, sent to other replicas; the first good answer counts.

use crate::attempt::Attempt;
use crate::attempts::{MAX_UNSEEN, give_up};
use crate::call::Call;
use crate::exchange::Tried;
use crate::peer::{Mark, Ticket, Wish};
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

/// The copies of one call.
struct Copies {
    /// How many there may be.
    most: u32,
    /// How many went out, without those that no replica saw.
    made: u32,
    /// How many no replica saw.
    unseen: u32,
    /// When the next one goes out, if one does.
    next: Option<Instant>,
    /// The next one stands in for one that no replica saw, and costs nothing.
    anew: bool,
    /// Where the last one went.
    avoid: Option<Mark>,
    /// How the last one failed that did.
    failed: Option<(Box<Failure>, Option<Attempt>)>,
}

impl Copies {
    fn new(policy: &HedgingPolicy) -> Self {
        Self {
            most: policy.max_attempts.clamp(1, MAX_COPIES),
            made: 0,
            unseen: 0,
            next: Some(Instant::now()),
            anew: false,
            avoid: None,
            failed: None,
        }
    }

    /// Resolves when the next one is to go out.
    fn due(&self) -> impl Future<Output = ()> + use<> {
        let next = self.next;
        async move {
            match next {
                Some(due) => sleep_until(due).await,
                None => std::future::pending().await,
            }
        }
    }

    /// No replica saw the last one: another goes out in its place.
    fn lose(&mut self) {
        self.made = self.made.saturating_sub(1);
        self.unseen += 1;
        self.anew = true;
        self.next = Some(Instant::now());
    }

    /// One went out.
    fn sent(&mut self, to: Mark, policy: &HedgingPolicy) {
        self.made += 1;
        self.anew = false;
        self.avoid = Some(to);
        self.next = (self.made < self.most).then(|| Instant::now() + policy.delay);
    }
}

impl Call {
    /// Sends copies of the call until one is answered, or all that the policy allows have failed.
    pub(crate) async fn hedged(
        &self,
        policy: &HedgingPolicy,
        replay: &mut Replay,
        sent: &AtomicBool,
    ) -> Result<(http::Response<Held>, Attempt), Status> {
        let mut copies = Copies::new(policy);
        let mut out = FuturesUnordered::new();
        loop {
            if out.is_empty() && copies.next.is_none() {
                let never_sent = || (Box::new(self.never_sent()), None);
                let (failure, attempt) = copies.failed.unwrap_or_else(never_sent);
                return give_up(failure, attempt, None);
            }
            tokio::select! {
                biased;
                Some(tried) = out.next(), if !out.is_empty() => {
                    if let Some(ended) = self.learn(tried, policy, &mut copies) {
                        return ended;
                    }
                }
                () = copies.due() => {
                    let free = copies.made == 0 || copies.anew;
                    let avoid = copies.avoid.as_ref();
                    let Some(ticket) = self.stay(avoid, free, out.is_empty()).await? else {
                        copies.next = None;
                        continue;
                    };
                    sent.store(true, Ordering::Relaxed);
                    if !free {
                        self.meter.hedge();
                    }
                    let mark = ticket.mark();
                    out.push(self.at(ticket, replay, copies.made, true));
                    copies.sent(mark, policy);
                }
            }
        }
    }

    /// How the call ends by what became of a copy, if it does.
    fn learn(
        &self,
        tried: Tried,
        policy: &HedgingPolicy,
        copies: &mut Copies,
    ) -> Option<Result<(http::Response<Held>, Attempt), Status>> {
        let (failure, mut attempt) = match tried {
            Tried::Answered(response, attempt) => {
                self.route.throttle.success();
                return Some(Ok((response, attempt)));
            }
            Tried::Returned(_) => {
                let mut failure = self.never_sent();
                failure.unseen = true;
                (Box::new(failure), None)
            }
            Tried::Failed(failure, attempt) => (failure, attempt),
        };
        if failure.unseen && copies.unseen < MAX_UNSEEN {
            if let Some(attempt) = attempt {
                attempt.unseen();
            }
            self.meter.transparent_retry();
            copies.lose();
            return None;
        }
        match self.judge(policy, &failure) {
            Failed::Fatal => return Some(give_up(failure, attempt, None)),
            Failed::Hurry if copies.made < copies.most => copies.next = Some(Instant::now()),
            Failed::Hurry | Failed::Wait => copies.next = None,
        }
        // Known now, whatever becomes of the others.
        if let Some(attempt) = &mut attempt {
            attempt.finish(failure.code, failure.pushback);
        }
        copies.failed = Some((failure, attempt));
        None
    }

    /// A stay for the next copy, when there is to be one; `alone` when none is out.
    async fn stay(
        &self,
        avoid: Option<&Mark>,
        free: bool,
        alone: bool,
    ) -> Result<Option<Ticket>, Status> {
        // Copies cost what repetitions cost, and are bounded with them.
        if !free && !self.route.may_repeat() {
            return Ok(None);
        }
        let wish = Wish {
            repeatable: true,
            patient: alone && self.is_patient(),
            avoid,
            method: self.index,
        };
        // A copy does not wait for room: meanwhile nobody would hear the answer to the first.
        if !alone {
            return Ok(self.route.peer.try_take(wish, self.deadline));
        }
        self.route.peer.take(wish, self.deadline).await.map(Some)
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
