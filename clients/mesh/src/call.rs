//! One call: its deadline, its attempts, its answer.

use crate::answer::AnswerBody;
use crate::budget::Budget;
use crate::cache::{Cache, Slot};
use crate::cause::Cause;
use crate::chain::Chain;
use crate::context;
use crate::deadline::{Deadline, earliest};
use crate::metrics::{CallMeter, Denial, PeerMetrics};
use crate::names::{CALLER, GRPC_TIMEOUT, TRACEPARENT, TRACESTATE};
use crate::peer::Peer;
use crate::policy::{MethodPolicy, PolicyTable};
use crate::replay::Replay;
use crate::retry::{Retries, Throttle};
use crate::timeout;
use crate::trace::TraceContext;
use futures::future::BoxFuture;
use http::{HeaderMap, HeaderValue};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;
use tonic::body::Body;
use tonic::{Code, Status};

/// The longest a unary call may take when neither its policy nor its caller says.
const DEFAULT_TIMEOUT: Duration = Duration::from_secs(10);

/// What all calls to one peer share.
#[derive(Debug)]
pub(crate) struct Route {
    pub(crate) peer: Arc<Peer>,
    pub(crate) metrics: PeerMetrics,
    pub(crate) policies: PolicyTable,
    pub(crate) caller: Option<HeaderValue>,
    pub(crate) throttle: Throttle,
    pub(crate) budget: Budget,
    pub(crate) cache: Cache,
}

impl Route {
    /// Whether a call may be sent once more, as far as all calls together are concerned.
    pub(crate) fn may_repeat(&self) -> bool {
        let denial = if !self.throttle.allows() {
            Denial::Throttle
        } else if self.budget.take(tokio::time::Instant::now()) {
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
    pub(crate) meter: CallMeter,
    /// Where the answer is kept, when the method's policy says so.
    pub(crate) slot: Option<Slot>,
}

/// Makes the call. Whatever needs no waiting is done at once, so that the future is small: it is moved to the
/// heap, and the request not from one layer's future into the next one's.
pub(crate) fn run(
    route: Arc<Route>,
    mut request: http::Request<Body>,
) -> BoxFuture<'static, Result<http::Response<Body>, Status>> {
    let index = route.policies.position(request.uri().path());
    let method = index.and_then(|index| route.policies.at(index));
    let inbound = context::current();
    let chain = inbound.map(|call| call.chain).unwrap_or_default();
    let mut call = Call {
        deadline: deadline(method, request.headers()),
        retries: Retries::of(method, chain.is_repeated_above()),
        meter: route.metrics.call(method),
        method,
        index,
        route,
        slot: None,
    };
    call.stamp(request.headers_mut());
    chain.stamp(
        call.route.caller.as_ref(),
        call.retries.remain(),
        request.headers_mut(),
    );
    if !chain.may_reach(call.route.peer.name()) {
        return Box::pin(std::future::ready(Err(call.looped(&chain))));
    }
    call.route.budget.call(tokio::time::Instant::now());
    let replay = Replay::once(request);
    Box::pin(call.within_deadline(replay))
}

/// The earliest of what the inbound call leaves, the caller asks for, and the method allows.
fn deadline(method: Option<&'static MethodPolicy>, headers: &HeaderMap) -> Option<Deadline> {
    let inherited = Deadline::current().map(Deadline::for_peers);
    let asked = headers
        .get(GRPC_TIMEOUT)
        .and_then(|value| timeout::parse(value.as_bytes()).ok());
    let allowed = method.and_then(|method| match method.timeout {
        None if method.is_unary() => Some(DEFAULT_TIMEOUT),
        timeout => timeout,
    });
    earliest([
        inherited,
        asked.map(Deadline::after),
        allowed.map(Deadline::after),
    ])
}

impl Call {
    /// Adds what every attempt carries: who calls, and where the call stands in its trace.
    fn stamp(&mut self, headers: &mut HeaderMap) {
        if let Some(caller) = &self.route.caller {
            headers.insert(CALLER, caller.clone());
        }
        if headers.contains_key(TRACEPARENT) {
            return;
        }
        let trace =
            context::current().map_or_else(TraceContext::root, |inbound| inbound.trace.child());
        self.meter.trace(&trace);
        if let Ok(value) = HeaderValue::from_bytes(&trace.to_bytes()) {
            headers.insert(TRACEPARENT, value);
        }
        if let Some(Ok(state)) = trace.state().map(HeaderValue::from_str) {
            headers.insert(TRACESTATE, state);
        }
    }

    /// The call has come back too often.
    fn looped(mut self, chain: &Chain) -> Status {
        let hops: Vec<_> = chain.hops().collect();
        let peer = self.route.peer.name();
        let message = format!("a call through {} may not go on to {peer}", hops.join(", "));
        let status = Cause::CallLoop.status(Code::FailedPrecondition, message);
        self.meter.fail(status.code(), Cause::CallLoop);
        status
    }

    /// The whole call, cut off at its deadline.
    async fn within_deadline(mut self, mut replay: Replay) -> Result<http::Response<Body>, Status> {
        let sent = AtomicBool::new(false);
        let outcome = match self.deadline {
            None => self.attempts(&mut replay, &sent).await,
            Some(deadline) if deadline.has_passed() => Err(self.route.peer.expired(false)),
            Some(deadline) => {
                let attempts = self.attempts(&mut replay, &sent);
                let outcome = tokio::time::timeout_at(deadline.at(), attempts).await;
                outcome
                    .unwrap_or_else(|_| Err(self.route.peer.expired(sent.load(Ordering::Relaxed))))
            }
        };
        match outcome {
            Ok((response, attempt)) => {
                let peer = Arc::clone(&self.route.peer);
                let keeping = self.slot.map(|slot| slot.keep(response.headers()));
                let (deadline, meter) = (self.deadline, self.meter);
                Ok(AnswerBody::wrap(
                    response, deadline, peer, meter, attempt, keeping,
                ))
            }
            Err(status) => {
                self.meter.fail(status.code(), Cause::of_failure(&status));
                match self
                    .slot
                    .filter(|_| is_absence(&status))
                    .and_then(|slot| slot.read())
                {
                    Some(response) => Ok(response),
                    None => Err(status),
                }
            }
        }
    }
}

/// Whether the peer could not be asked.
fn is_absence(status: &Status) -> bool {
    matches!(status.code(), Code::Unavailable | Code::DeadlineExceeded)
}
