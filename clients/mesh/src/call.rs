//! One call: its deadline, its attempts, its answer.

use crate::answer::AnswerBody;
use crate::attempt::Attempt;
use crate::budget::Budget;
use crate::cache::{Cache, Slot};
use crate::cause::Cause;
use crate::chain::Chain;
use crate::context;
use crate::deadline::{Deadline, earliest};
use crate::metrics::{CallMeter, Denial, PeerMetrics};
use crate::names::GRPC_TIMEOUT;
use crate::peer::Peer;
use crate::policy::{MethodPolicy, PolicyTable};
use crate::replay::Replay;
use crate::retry::{Retries, Throttle};
use crate::stamp::Stamp;
use crate::timeout;
use crate::verdict::Held;
use futures::future::BoxFuture;
use http::HeaderMap;
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;
use tokio::time::Instant;
use tonic::body::Body;
use tonic::{Code, Status};

/// The longest a call may take when neither its policy nor its caller says, unless it is known to be a stream.
const DEFAULT_TIMEOUT: Duration = Duration::from_secs(10);

/// What all calls to one peer share.
#[derive(Debug)]
pub(crate) struct Route {
    pub(crate) peer: Arc<Peer>,
    pub(crate) metrics: PeerMetrics,
    pub(crate) policies: PolicyTable,
    pub(crate) throttle: Throttle,
    pub(crate) budget: Budget,
    pub(crate) cache: Cache,
}

impl Route {
    /// Whether a call may be sent once more, as far as all calls together are concerned.
    pub(crate) fn may_repeat(&self) -> bool {
        let denial = if !self.throttle.allows() {
            Denial::Throttle
        } else if self.budget.take(Instant::now()) {
            return true;
        } else {
            Denial::Budget
        };
        self.metrics.denied(denial);
        false
    }
}

/// A call under way.
pub(crate) struct Call {
    pub(crate) route: Arc<Route>,
    pub(crate) method: Option<&'static MethodPolicy>,
    /// The method's place in the table of policies.
    pub(crate) index: Option<usize>,
    pub(crate) deadline: Option<Deadline>,
    pub(crate) retries: Retries,
    pub(crate) stamp: Stamp,
    pub(crate) meter: CallMeter,
    /// Where the answer is kept, when the method's policy says so.
    pub(crate) slot: Option<Slot>,
}

/// Makes the call. Whatever needs no waiting is done at once, so that the future is small: it is moved to the
/// heap, and the request not from one layer's future into the next one's.
pub(crate) fn run(
    route: Arc<Route>,
    request: http::Request<Body>,
) -> BoxFuture<'static, Result<http::Response<Body>, Status>> {
    let now = Instant::now();
    let index = route.policies.position(request.uri().path());
    let method = index.and_then(|index| route.policies.at(index));
    let inbound = context::current();
    let (inherited, trace, chain) = match inbound {
        Some(call) => (call.deadline, Some(call.trace), call.chain),
        None => (None, None, Chain::default()),
    };
    let retries = Retries::of(method, chain.is_repeated_above());
    let headers = request.headers();
    let stamp = Stamp::new(
        &chain,
        route.peer.hop(),
        retries.are_any(),
        trace.as_ref(),
        headers,
    );
    let mut call = Call {
        deadline: deadline(now, inherited, method, headers),
        retries,
        stamp,
        meter: route.metrics.call(index, now),
        method,
        index,
        route,
        slot: None,
    };
    if let Some(trace) = &call.stamp.trace {
        call.meter.trace(trace);
    }
    if !chain.may_reach(call.route.peer.name()) {
        return Box::pin(std::future::ready(Err(call.looped(&chain))));
    }
    call.route.budget.call(now);
    call.within_deadline(Replay::once(request))
}

/// The earliest of what the inbound call leaves, the caller asks for, and the method allows.
///
/// A stream whose policy names no timeout has no natural end: it is followed for as long as both sides live. What a
/// deadline is for otherwise is done by others there: a peer that vanishes is noticed by the pings of its connection,
/// and one that is silent by whoever follows the stream, who knows how often something must come.
fn deadline(
    now: Instant,
    inherited: Option<Deadline>,
    method: Option<&'static MethodPolicy>,
    headers: &HeaderMap,
) -> Option<Deadline> {
    let asked = headers
        .get(GRPC_TIMEOUT)
        .and_then(|value| timeout::parse(value.as_bytes()).ok());
    let own = match method {
        // Only its caller can tell what it is.
        None => Some(asked.unwrap_or(DEFAULT_TIMEOUT)),
        Some(method) => {
            let usual = method.is_unary().then_some(DEFAULT_TIMEOUT);
            let allowed = method.timeout.or(usual);
            [asked, allowed].into_iter().flatten().min()
        }
    };
    let inherited = inherited.map(Deadline::for_peers);
    earliest([inherited, own.map(|own| Deadline::from(now, own))])
}

impl Call {
    /// The call has come back too often.
    fn looped(mut self, chain: &Chain) -> Status {
        let hops: Vec<_> = chain.hops().collect();
        let peer = self.route.peer.name();
        let message = format!("a call through {} may not go on to {peer}", hops.join(", "));
        let status = Cause::CallLoop.status(Code::FailedPrecondition, message);
        self.meter.fail(status.code(), Cause::CallLoop);
        status
    }

    /// The whole call, cut off at its deadline. Not an `async fn`, whose future would hold its arguments twice.
    fn within_deadline(
        mut self,
        mut replay: Replay,
    ) -> BoxFuture<'static, Result<http::Response<Body>, Status>> {
        Box::pin(async move {
            let sent = AtomicBool::new(false);
            let outcome = match self.deadline {
                None => self.attempts(&mut replay, &sent).await,
                Some(deadline) if deadline.at() <= self.meter.start() => {
                    Err(self.route.peer.expired(false))
                }
                Some(deadline) => {
                    // Pinned here, so that it is not moved into the timeout.
                    let outcome = {
                        let attempts = pin!(self.attempts(&mut replay, &sent));
                        tokio::time::timeout_at(deadline.at(), attempts).await
                    };
                    outcome.unwrap_or_else(|_| {
                        Err(self.route.peer.expired(sent.load(Ordering::Relaxed)))
                    })
                }
            };
            self.conclude(outcome)
        })
    }

    /// Hands the answer on, or fails unless an earlier answer can stand in for it.
    fn conclude(
        mut self,
        outcome: Result<(http::Response<Held>, Attempt), Status>,
    ) -> Result<http::Response<Body>, Status> {
        match outcome {
            Ok((response, attempt)) => {
                let keeping = self.slot.map(|slot| slot.keep(response.headers()));
                let peer = Arc::clone(&self.route.peer);
                Ok(AnswerBody::wrap(
                    response,
                    self.deadline,
                    peer,
                    self.meter,
                    attempt,
                    keeping,
                ))
            }
            Err(status) => {
                self.meter.fail(status.code(), Cause::of_failure(&status));
                let absent = is_absence(&status);
                let kept = self.slot.filter(|_| absent).and_then(|slot| slot.read());
                kept.ok_or(status)
            }
        }
    }
}

/// Whether the peer could not be asked.
fn is_absence(status: &Status) -> bool {
    matches!(status.code(), Code::Unavailable | Code::DeadlineExceeded)
}
