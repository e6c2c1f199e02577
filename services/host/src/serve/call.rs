//! One call: what must hold before its handler runs, and while it does.

use super::answer::{AnswerBody, Bounds, expired, hint, panicked};
use super::authorize::Authorization;
use super::metadata;
use super::origin::{Identity, Origin};
use super::request::{Limits, RequestBody};
use crate::admission::{Admission, Permit};
use crate::config::HostSettings;
use crate::drain::Drain;
use crate::meter::{CallMeter, Metrics};
use crate::tap::Taps;
use cleave_mesh::contract::messages as contract;
use cleave_mesh::policy::{MethodPolicy, PolicyTable};
use cleave_mesh::{Deadline, context};
use futures::FutureExt as _;
use futures::future::BoxFuture;
use http::{Request, Response, StatusCode};
use hyper::body::Incoming;
use std::convert::Infallible;
use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::sync::atomic::AtomicU64;
use std::time::Duration;
use tonic::body::Body;
use tonic::service::Routes;
use tonic::transport::server::TcpConnectInfo;
use tonic::{Code, Status};
use tower::Service as _;
use tracing::Instrument as _;

/// What all calls of a service pass. Cheap to clone.
#[derive(Debug, Clone)]
pub(crate) struct Stack {
    shared: Arc<Shared>,
    routes: Routes,
    origin: Arc<Origin>,
}

#[derive(Debug)]
struct Shared {
    settings: HostSettings,
    policies: PolicyTable,
    authorization: Authorization,
    admission: Admission,
    metrics: Metrics,
    taps: Taps,
    drain: Drain,
}

/// When a call must be over, and its place.
type Admitted = (Option<Deadline>, Option<Permit>);

impl Stack {
    pub(crate) fn new(
        service: &str,
        settings: HostSettings,
        policies: PolicyTable,
        drain: Drain,
        routes: Routes,
    ) -> Self {
        let shared = Arc::new(Shared {
            policies,
            authorization: Authorization::new(&settings.tls),
            admission: Admission::new(service, &settings.admission),
            metrics: Metrics::new(service, policies),
            taps: Taps::default(),
            drain,
            settings,
        });
        Self {
            shared,
            routes: routes.prepare(),
            origin: Arc::new(Origin::new(None, Identity::Anonymous)),
        }
    }

    pub(super) fn settings(&self) -> &HostSettings {
        &self.shared.settings
    }

    /// How much work there is.
    pub(crate) fn admission(&self) -> &Admission {
        &self.shared.admission
    }

    /// Who watches the calls.
    pub(crate) fn taps(&self) -> &Taps {
        &self.shared.taps
    }

    /// The same for the connection of one client.
    pub(super) fn at(mut self, origin: Arc<Origin>) -> Self {
        self.origin = origin;
        self
    }

    /// Serves one call.
    async fn serve(self, request: Request<Incoming>) -> Response<Body> {
        let path = request.uri().path();
        let method = self.shared.policies.get(path);
        let mut context = metadata::context(request.headers());
        match &self.origin.identity {
            Identity::Believed => {}
            Identity::Anonymous => context.caller = None,
            Identity::Workload(name) => context.caller = Some(Arc::clone(name)),
        }
        let meter = |context| {
            let recorder = self.shared.taps.begin(path, &context);
            let (remote, busy) = (self.origin.remote, self.origin.busy());
            let meter = self.shared.metrics.call(path, remote, busy, context);
            meter.recorded(recorder)
        };
        let (deadline, permit) = match self.admit(method, &request) {
            Ok(admitted) => admitted,
            Err(mut refusal) => {
                hint(&self.shared.drain, refusal.headers_mut());
                let code = super::answer::code_in(refusal.headers()).unwrap_or(Code::Unknown);
                meter(context).finish(code);
                return *refusal;
            }
        };
        context.deadline = deadline;
        let meter = meter(context);
        let received = Arc::new(AtomicU64::new(0));
        let unary = method.is_some_and(MethodPolicy::is_unary);
        let response = self
            .handle(request, &meter, unary, Arc::clone(&received))
            .await;
        let bounds = Bounds {
            // A unary call is done: how fast its caller reads the answer is no work of ours.
            permit: permit.filter(|_| !unary),
            drain: self.shared.drain.clone(),
            deadline,
            bytes: self.shared.settings.max_message_bytes,
            retired: (!unary).then(|| self.origin.retired.clone()),
        };
        AnswerBody::wrap(response, bounds, received, meter)
    }

    /// Refuses what no handler should see; otherwise tells when the call must be over, and gives it a
    /// place.
    fn admit(
        &self,
        method: Option<&'static MethodPolicy>,
        request: &Request<Incoming>,
    ) -> Result<Admitted, Box<Response<Body>>> {
        let kind = request
            .headers()
            .get(http::header::CONTENT_TYPE)
            .map(|kind| kind.as_bytes());
        if !kind.is_some_and(|kind| kind.starts_with(b"application/grpc")) {
            let mut response = Response::new(Body::empty());
            *response.status_mut() = StatusCode::UNSUPPORTED_MEDIA_TYPE;
            return Err(Box::new(response));
        }
        let refuse = |status: Status| Box::new(status.into_http());
        metadata::check(request.headers(), self.shared.settings.max_metadata_bytes)
            .map_err(refuse)?;
        self.shared
            .authorization
            .check(&self.origin.identity, request.uri().path(), method)
            .map_err(refuse)?;
        let asked = metadata::timeout(request.headers()).map_err(refuse)?;
        let deadline = self.timeout(method, asked).map(Deadline::after);
        // What belongs to no contract, health above all, is answered under any load, and so is the question for
        // the contract itself.
        let weighed = method.filter(|method| !method.path.starts_with(contract::PREFIX));
        let permit = weighed.map(|method| self.shared.admission.admit(method));
        let permit = permit
            .transpose()
            .map_err(|refusal| refuse(refusal.into_status()))?;
        Ok((deadline, permit))
    }

    /// How long a call may take: what its caller asks for within the service's bounds, else what the
    /// policy says. A stream is bounded only by its caller or its policy.
    fn timeout(
        &self,
        method: Option<&'static MethodPolicy>,
        asked: Option<Duration>,
    ) -> Option<Duration> {
        let longest = self.shared.settings.max_timeout;
        match method {
            Some(method) if method.is_unary() => {
                Some(asked.or(method.timeout).unwrap_or(longest).min(longest))
            }
            Some(method) => asked.or(method.timeout),
            None => asked,
        }
    }

    /// Runs the handler, up to the headers of its answer.
    async fn handle(
        &self,
        request: Request<Incoming>,
        meter: &CallMeter,
        unary: bool,
        received: Arc<AtomicU64>,
    ) -> Response<Body> {
        let limits = Limits {
            bytes: self.shared.settings.max_message_bytes,
            time: self.shared.settings.message_timeout,
            unary,
        };
        let mut request =
            request.map(|body| RequestBody::new(body, limits, received, meter.tape()));
        metadata::answer_in_kind(request.headers_mut());
        request.extensions_mut().insert(TcpConnectInfo {
            local_addr: None,
            remote_addr: self.origin.remote,
        });
        let call = meter.context().clone();
        let span = tracing::info_span!(
            "call",
            rpc.method = request.uri().path().trim_start_matches('/'),
            trace.id = %call.trace.trace_id(),
        );
        let mut routes = self.routes.clone();
        let handler = context::scope(call, async move { routes.call(request).await });
        let handler = AssertUnwindSafe(handler.instrument(span)).catch_unwind();
        let outcome = match meter.context().deadline {
            None => handler.await,
            Some(deadline) => match tokio::time::timeout_at(deadline.at(), handler).await {
                Ok(outcome) => outcome,
                Err(_) => return expired().into_http(),
            },
        };
        match outcome {
            Ok(Ok(response)) => response,
            Ok(Err(never)) => match never {},
            // The panic hook has logged it, with the span of the call.
            Err(_) => panicked().into_http(),
        }
    }
}

impl hyper::service::Service<Request<Incoming>> for Stack {
    type Response = Response<Body>;
    type Error = Infallible;
    type Future = BoxFuture<'static, Result<Response<Body>, Infallible>>;

    fn call(&self, request: Request<Incoming>) -> Self::Future {
        let stack = self.clone();
        Box::pin(async move { Ok(stack.serve(request).await) })
    }
}
