//! One call: its deadline, its attempts, its answer.

use crate::answer::AnswerBody;
use crate::context;
use crate::deadline::{Deadline, earliest};
use crate::metadata::{CALLER, GRPC_TIMEOUT, PREVIOUS_ATTEMPTS, TRACEPARENT, TRACESTATE};
use crate::metrics::{AttemptMeter, CallMeter, PeerMetrics, code_name, method_name};
use crate::peer::Peer;
use crate::policy::{MethodPolicy, PolicyTable};
use crate::replay::Replay;
use crate::retry::{Retries, Throttle};
use crate::timeout;
use crate::trace::TraceContext;
use crate::verdict::{Failure, Verdict, by_body, by_headers};
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
}

/// A call under way.
struct Call {
    route: Arc<Route>,
    method: Option<&'static MethodPolicy>,
    deadline: Option<Deadline>,
    retries: Retries,
    meter: CallMeter,
}

/// Makes the call.
pub(crate) async fn run(
    route: Arc<Route>,
    mut request: http::Request<Body>,
) -> Result<http::Response<Body>, Status> {
    let method = route.policies.get(request.uri().path());
    let call = Call {
        deadline: deadline(method, request.headers()),
        retries: Retries::of(method),
        meter: route.metrics.call(method),
        method,
        route,
    };
    call.stamp(request.headers_mut());
    call.within_deadline(request).await
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
    fn stamp(&self, headers: &mut HeaderMap) {
        if let Some(caller) = &self.route.caller {
            headers.insert(CALLER, caller.clone());
        }
        if headers.contains_key(TRACEPARENT) {
            return;
        }
        let trace =
            context::current().map_or_else(TraceContext::root, |inbound| inbound.trace.child());
        if let Ok(value) = HeaderValue::from_str(&trace.to_string()) {
            headers.insert(TRACEPARENT, value);
        }
        if let Some(Ok(state)) = trace.state().map(HeaderValue::from_str) {
            headers.insert(TRACESTATE, state);
        }
    }

    /// The whole call, cut off at its deadline.
    async fn within_deadline(
        mut self,
        request: http::Request<Body>,
    ) -> Result<http::Response<Body>, Status> {
        let sent = AtomicBool::new(false);
        let outcome = match self.deadline {
            None => self.attempts(request, &sent).await,
            Some(deadline) if deadline.has_passed() => Err(self.route.peer.expired(false)),
            Some(deadline) => tokio::time::timeout_at(deadline.at(), self.attempts(request, &sent))
                .await
                .unwrap_or_else(|_| Err(self.route.peer.expired(sent.load(Ordering::Relaxed)))),
        };
        match outcome {
            Ok((response, attempt)) => {
                let peer = Arc::clone(&self.route.peer);
                Ok(AnswerBody::wrap(
                    response,
                    self.deadline,
                    peer,
                    self.meter,
                    attempt,
                ))
            }
            Err(status) => {
                self.meter.finish(status.code());
                Err(status)
            }
        }
    }

    /// Attempts until one is answered, or fails for good.
    async fn attempts(
        &mut self,
        request: http::Request<Body>,
        sent: &AtomicBool,
    ) -> Result<(http::Response<Body>, AttemptMeter), Status> {
        let mut replay = match self.retries.remain() {
            true => Replay::keep(request).await?,
            false => Replay::once(request),
        };
        loop {
            self.stamp_attempt(replay.headers_mut());
            let mut meter = self.meter.attempt(self.deadline);
            meter.sent(replay.message_bytes());
            sent.store(true, Ordering::Relaxed);
            let repeatable = self.retries.remain() && replay.is_repeatable();
            let failure = match self.attempt(replay.request(), repeatable).await {
                Verdict::Answered(response) | Verdict::Open(response) => {
                    self.route.throttle.success();
                    return Ok((response, meter));
                }
                Verdict::Failed(failure) => failure,
            };
            let wait = if repeatable {
                self.wait_after(&failure)
            } else {
                None
            };
            let Some(wait) = wait else {
                return match failure.answer {
                    Ok(response) => Ok((response, meter)),
                    Err(status) => {
                        meter.finish(failure.code);
                        Err(status)
                    }
                };
            };
            meter.finish(failure.code);
            self.meter.retry();
            tokio::time::sleep(wait).await;
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

    /// One attempt, judged as far as a repetition could depend on it.
    async fn attempt(&self, request: http::Request<Body>, repeatable: bool) -> Verdict {
        let response = match self.route.peer.send(request).await {
            Ok(response) => response,
            Err(status) => return Failure::from(status).into(),
        };
        match by_headers(response) {
            Verdict::Open(response) if repeatable => {
                let streaming = self.method.is_some_and(|method| method.server_streaming);
                by_body(response, streaming, self.route.peer.name()).await
            }
            verdict => verdict,
        }
    }

    /// How long to wait before the next attempt; `None` when this failure is final.
    fn wait_after(&mut self, failure: &Failure) -> Option<Duration> {
        if failure.code == Code::Ok || !self.retries.cover(failure.code) {
            return None;
        }
        self.route.throttle.failure();
        if !self.route.throttle.allows() {
            tracing::debug!(rpc.peer = self.route.peer.name(), "retries are throttled");
            return None;
        }
        let wait = self.retries.next(failure.pushback)?;
        // Rather this failure now than a passed deadline later.
        if self
            .deadline
            .is_some_and(|deadline| deadline.remaining() <= wait)
        {
            return None;
        }
        tracing::debug!(
            rpc.peer = self.route.peer.name(),
            rpc.method = method_name(self.method),
            rpc.status = code_name(failure.code),
            rpc.attempt = self.retries.made() + 1,
            wait_ms = u64::try_from(wait.as_millis()).unwrap_or(u64::MAX),
            "trying again"
        );
        Some(wait)
    }
}
