//! One call: what must hold while its handler runs.

use super::admit::Gate;
use super::answer::{AnswerBody, Bounds, expired, hint, panicked, retired};
use super::metadata;
use super::origin::{Identity, Origin};
use super::request::{Limits, RequestBody};
use super::stream;
use crate::admission::Admission;
use crate::config::HostSettings;
use crate::drain::Drain;
use crate::meter::{CallMeter, Metrics};
use crate::tap::Taps;
use cleave_mesh::policy::{MethodPolicy, PolicyTable};
use cleave_mesh::{Deadline, context};
use futures::FutureExt as _;
use futures::future::BoxFuture;
use http::{Request, Response};
use hyper::body::Incoming;
use std::convert::Infallible;
use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::sync::atomic::AtomicU64;
use tonic::Code;
use tonic::body::Body;
use tonic::service::Routes;
use tonic::transport::server::TcpConnectInfo;
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
    gate: Gate,
    metrics: Metrics,
    taps: Taps,
    drain: Drain,
}

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
            gate: Gate::new(service, &settings),
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
        self.shared.gate.admission()
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
        let admitted = self.shared.gate.admit(method, &request, &self.origin);
        let admitted = match admitted {
            Ok(admitted) => admitted,
            Err(mut refusal) => {
                hint(&self.shared.drain, refusal.headers_mut());
                let code = super::answer::code_in(refusal.headers()).unwrap_or(Code::Unknown);
                meter(context).finish(code);
                return *refusal;
            }
        };
        context.deadline = admitted.deadline;
        let meter = meter(context);
        let received = Arc::new(AtomicU64::new(0));
        let unary = method.is_some_and(MethodPolicy::is_unary);
        let handler = self.handle(request, &meter, unary, Arc::clone(&received));
        let handler = within(admitted.head, handler);
        let response = match method {
            Some(method) if !method.is_unary() => self.unless_retired(handler).await,
            _ => handler.await,
        };
        stream::answered(admitted.deadline.map(|deadline| deadline.at()));
        let bounds = Bounds {
            // A unary call is done: how fast its caller reads the answer is no work of ours.
            permit: admitted.permit.filter(|_| !unary),
            drain: self.shared.drain.clone(),
            deadline: admitted.deadline,
            bytes: self.shared.settings.max_message_bytes,
            retired: (!unary).then(|| self.origin.retired.clone()),
        };
        AnswerBody::wrap(response, bounds, received, meter)
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
            // Of a call that it makes in its turn, and that fails.
            rpc.cause = tracing::field::Empty,
            trace.id = %call.trace.trace_id(),
        );
        let mut routes = self.routes.clone();
        let handler = context::scope(call, async move { routes.call(request).await });
        let handler = AssertUnwindSafe(handler.instrument(span)).catch_unwind();
        match handler.await {
            Ok(Ok(response)) => response,
            Ok(Err(never)) => match never {},
            // The panic hook has logged it, with the span of the call.
            Err(_) => panicked().into_http(),
        }
    }

    /// Runs the handler of a stream unless it must leave its connection: it may wait for its client, for ever.
    async fn unless_retired(
        &self,
        handler: impl Future<Output = Response<Body>>,
    ) -> Response<Body> {
        tokio::select! {
            biased;
            response = handler => response,
            () = self.origin.retired.cancelled() => {
                let mut response = retired(&self.shared.drain).into_http();
                hint(&self.shared.drain, response.headers_mut());
                response
            }
        }
    }
}

/// Runs the handler up to its deadline.
async fn within(
    deadline: Option<Deadline>,
    handler: impl Future<Output = Response<Body>>,
) -> Response<Body> {
    let Some(deadline) = deadline else {
        return handler.await;
    };
    let outcome = tokio::time::timeout_at(deadline.at(), handler).await;
    outcome.unwrap_or_else(|_| expired().into_http())
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
