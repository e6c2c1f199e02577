//! Hosts of the tests' own, whose handlers are what a test says, and calls to them.

use cleave_host::config::{Faults, HostSettings, Loader, TelemetrySettings, Validate};
use cleave_host::{Host, Running};
use cleave_mesh::MeshChannel;
use cleave_mesh::policy::PolicyTable;
use futures::future::BoxFuture;
use serde::Deserialize;
use std::convert::Infallible;
use std::sync::Arc;
use std::task::{Context, Poll};
use tonic::body::Body;
use tonic::codegen::http::uri::PathAndQuery;
use tonic::{Code, Status};
use tonic_prost::ProstCodec;

type Handler = dyn Fn(Arc<str>) -> BoxFuture<'static, Result<(), Status>> + Send + Sync;

/// A service whose methods take and answer nothing; the handler is given the method's name.
#[derive(Clone)]
struct Script(Arc<Handler>);

impl tonic::server::NamedService for Script {
    const NAME: &'static str = "test.Script";
}

impl tower::Service<http::Request<Body>> for Script {
    type Response = http::Response<Body>;
    type Error = Infallible;
    type Future = BoxFuture<'static, Result<http::Response<Body>, Infallible>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: http::Request<Body>) -> Self::Future {
        let method = request.uri().path().rsplit('/').next().unwrap_or_default();
        let unary = Unary {
            handler: Arc::clone(&self.0),
            method: Arc::from(method),
        };
        Box::pin(async move {
            let mut grpc = tonic::server::Grpc::new(ProstCodec::<(), ()>::default());
            Ok(grpc.unary(unary, request).await)
        })
    }
}

struct Unary {
    handler: Arc<Handler>,
    method: Arc<str>,
}

impl tonic::server::UnaryService<()> for Unary {
    type Response = ();
    type Future = BoxFuture<'static, Result<tonic::Response<()>, Status>>;

    fn call(&mut self, _: tonic::Request<()>) -> Self::Future {
        let handling = (self.handler)(Arc::clone(&self.method));
        Box::pin(async move { handling.await.map(tonic::Response::new) })
    }
}

#[derive(Deserialize)]
struct Settings {
    host: HostSettings,
    #[expect(dead_code, reason = "the section is part of the schema")]
    telemetry: TelemetrySettings,
}

impl Validate for Settings {
    fn validate(&self, _: &mut Faults) {}
}

/// Starts a host with one worker and these settings, and waits until it serves.
pub(crate) async fn start<F, R>(
    name: &str,
    policies: PolicyTable,
    changes: &[(&str, &str)],
    handler: F,
) -> anyhow::Result<Running>
where
    F: Fn(Arc<str>) -> R + Send + Sync + 'static,
    R: Future<Output = Result<(), Status>> + Send + 'static,
{
    let usual = [
        ("host.listen", "127.0.0.1:0"),
        ("host.admin", "127.0.0.1:0"),
        ("host.workers", "1"),
        ("host.probe_period", "5ms"),
        ("host.lame_duck", "1ms"),
    ];
    let mut loader = Loader::new("test");
    for (key, value) in usual.iter().chain(changes) {
        loader = loader.set(key, value);
    }
    let settings: Settings = loader.load()?;
    let script = Script(Arc::new(move |method| Box::pin(handler(method))));
    let running = Host::builder(name, &settings.host)
        .policies(policies)
        .service(script)
        .start()
        .await?;
    running.ready().await;
    Ok(running)
}

/// Calls a method.
pub(crate) async fn call(channel: &MeshChannel, method: &str) -> Result<(), Status> {
    let mut grpc = tonic::client::Grpc::new(channel.clone());
    let path = PathAndQuery::try_from(format!("/test.Script/{method}"))
        .map_err(|error| Status::new(Code::Internal, error.to_string()))?;
    let codec = ProstCodec::<(), ()>::default();
    grpc.ready().await?;
    grpc.unary(tonic::Request::new(()), path, codec)
        .await
        .map(tonic::Response::into_inner)
}
