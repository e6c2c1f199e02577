//! One call: what must hold before its handler runs, and while it does.

use super::answer::{AnswerBody, expired, panicked};
use super::metadata;
use super::request::RequestBody;
use crate::config::HostSettings;
use crate::meter::{CallMeter, Metrics};
use cleave_mesh::policy::{MethodPolicy, PolicyTable};
use cleave_mesh::{Deadline, context};
use futures::FutureExt as _;
use futures::future::BoxFuture;
use http::{Request, Response, StatusCode};
use hyper::body::Incoming;
use std::convert::Infallible;
use std::net::SocketAddr;
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
    remote: Option<SocketAddr>,
}

#[derive(Debug)]
struct Shared {
    settings: HostSettings,
    policies: PolicyTable,
    metrics: Metrics,
}

impl Stack {
    pub(crate) fn new(settings: HostSettings, policies: PolicyTable, routes: Routes) -> Self {
        let shared = Arc::new(Shared {
            settings,
            policies,
            metrics: Metrics::new(policies),
        });
        Self {
            shared,
            routes: routes.prepare(),
            remote: None,
        }
    }

    pub(super) fn settings(&self) -> &HostSettings {
        &self.shared.settings
    }

    /// The same for the connection of one client.
    pub(super) fn at(mut self, remote: Option<SocketAddr>) -> Self {
        self.remote = remote;
        self
    }

    /// Serves one call.
    async fn serve(self, request: Request<Incoming>) -> Response<Body> {
        let path = request.uri().path();
        let method = self.shared.policies.get(path);
        let mut context = metadata::context(request.headers());
        let deadline = match self.admit(method, &request) {
            Ok(deadline) => deadline,
            Err(refusal) => {
                let mut meter = self.shared.metrics.call(path, self.remote, context);
                meter.finish(super::answer::code_in(refusal.headers()).unwrap_or(Code::Unknown));
                return *refusal;
            }
        };
        context.deadline = deadline;
        let meter = self.shared.metrics.call(path, self.remote, context);
        let received = Arc::new(AtomicU64::new(0));
        let limit = self.shared.settings.max_message_bytes;
        let response = self
            .handle(request, &meter, deadline, Arc::clone(&received))
            .await;
        AnswerBody::wrap(response, deadline, limit, received, meter)
    }

    /// Refuses what no handler should see; otherwise tells when the call must be over.
    fn admit(
        &self,
        method: Option<&'static MethodPolicy>,
        request: &Request<Incoming>,
    ) -> Result<Option<Deadline>, Box<Response<Body>>> {
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
        let asked = metadata::timeout(request.headers()).map_err(refuse)?;
        Ok(self.timeout(method, asked).map(Deadline::after))
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
        deadline: Option<Deadline>,
        received: Arc<AtomicU64>,
    ) -> Response<Body> {
        let limit = self.shared.settings.max_message_bytes;
        let mut request = request.map(|body| RequestBody::new(body, limit, received));
        request.extensions_mut().insert(TcpConnectInfo {
            local_addr: None,
            remote_addr: self.remote,
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
        let outcome = match deadline {
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
