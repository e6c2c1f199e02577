//! The services that foreign clients call: both as processes, or one host in this process that does what a
//! script says.

use anyhow::{Context, Result};
use cleave_e2e::{Engine, Pair, Programs};
use cleave_host::config::{Faults, HostSettings, Loader, TelemetrySettings, Validate};
use cleave_host::{Host, Running};
use cleave_mesh::policy::{Idempotency, MethodPolicy, PolicyTable};
use futures::future::BoxFuture;
use serde::Deserialize;
use std::convert::Infallible;
use std::path::Path;
use std::sync::Arc;
use std::task::Poll;
use std::time::Duration;
use tonic::body::Body;
use tonic::codegen::{Service, http};
use tonic::server::{Grpc, NamedService, UnaryService};
use tonic::{Request, Response, Status};
use tonic_prost::ProstCodec;

/// Both services on SQLite, serving.
pub(crate) async fn pair() -> Result<Pair> {
    let programs = Programs {
        operations: Path::new(env!("CARGO_BIN_EXE_e2e-operations")),
        billing: Path::new(env!("CARGO_BIN_EXE_e2e-billing")),
    };
    let pair = Pair::new(Engine::Sqlite, programs).await?;
    let mut pair = pair.context("SQLite is always at hand")?;
    pair.start().await?;
    Ok(pair)
}

/// What the scripted service promises.
static POLICIES: PolicyTable = PolicyTable::new(&[MethodPolicy {
    timeout: Some(Duration::from_secs(20)),
    idempotency: Idempotency::Idempotent,
    ..MethodPolicy::new("/test.Script/Call")
}]);

type Handler = dyn Fn(Request<String>) -> Result<Response<String>, Status> + Send + Sync;

/// A service with one method, whose answers a script gives.
#[derive(Clone)]
struct Scripted(Arc<Handler>);

impl NamedService for Scripted {
    const NAME: &'static str = "test.Script";
}

impl UnaryService<String> for Scripted {
    type Response = String;
    type Future = std::future::Ready<Result<Response<String>, Status>>;

    fn call(&mut self, request: Request<String>) -> Self::Future {
        std::future::ready((self.0)(request))
    }
}

impl Service<http::Request<Body>> for Scripted {
    type Response = http::Response<Body>;
    type Error = Infallible;
    type Future = BoxFuture<'static, Result<Self::Response, Infallible>>;

    fn poll_ready(&mut self, _: &mut std::task::Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: http::Request<Body>) -> Self::Future {
        let method = self.clone();
        Box::pin(async move {
            let mut grpc = Grpc::new(ProstCodec::<String, String>::default());
            Ok(grpc.unary(method, request).await)
        })
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

/// Starts a host whose `/test.Script/Call` does what `handler` says; waits until it serves.
pub(crate) async fn host<F>(handler: F) -> Result<Running>
where
    F: Fn(Request<String>) -> Result<Response<String>, Status> + Send + Sync + 'static,
{
    let settings: Settings = Loader::new("test")
        .set("host.listen", "127.0.0.1:0")
        .set("host.admin", "127.0.0.1:0")
        .set("host.probe_period", "5ms")
        .load()?;
    let running = Host::builder("test", &settings.host)
        .policies(POLICIES)
        .service(Scripted(Arc::new(handler)))
        .start()
        .await?;
    running.ready().await;
    Ok(running)
}
