//! Why a call failed that a handler or a task makes stands on the span of that work. In a process of its own: who
//! watches the spans is the process's.

use cleave_host::config::{Faults, HostSettings, Loader, Validate};
use cleave_host::{Host, Report, Task};
use cleave_mesh::policy::{MethodPolicy, PolicyTable};
use cleave_mesh::{Mesh, MeshChannel};
use futures::future::BoxFuture;
use serde::Deserialize;
use std::convert::Infallible;
use std::fmt::Debug;
use std::net::TcpListener;
use std::task::{Context as Wait, Poll};
use std::time::Duration;
use tokio::sync::mpsc::{self, UnboundedSender};
use tonic::Status;
use tonic::body::Body;
use tracing::Subscriber;
use tracing::field::{Field, Visit};
use tracing::span::{Id, Record};
use tracing_subscriber::layer::{Context, Layer, SubscriberExt as _};
use tracing_subscriber::registry::LookupSpan;

/// Its calls fail after so long.
static POLICIES: PolicyTable = PolicyTable::new(&[MethodPolicy {
    timeout: Some(Duration::from_millis(50)),
    ..MethodPolicy::new("/test.Caller/Call")
}]);

/// Hands on the name of each span that is told a cause, and the cause.
struct Causes(UnboundedSender<(&'static str, String)>);

impl<S: Subscriber + for<'a> LookupSpan<'a>> Layer<S> for Causes {
    fn on_record(&self, id: &Id, values: &Record<'_>, ctx: Context<'_, S>) {
        struct Cause(Option<String>);
        impl Visit for Cause {
            fn record_debug(&mut self, field: &Field, value: &dyn Debug) {
                if field.name() == "rpc.cause" {
                    self.0 = Some(format!("{value:?}"));
                }
            }
        }
        let mut cause = Cause(None);
        values.record(&mut cause);
        if let (Some(span), Some(cause)) = (ctx.span(id), cause.0) {
            let _ = self.0.send((span.name(), cause));
        }
    }
}

#[derive(Deserialize)]
struct Settings {
    host: HostSettings,
    #[expect(dead_code, reason = "the section is part of the schema")]
    telemetry: serde::de::IgnoredAny,
}

impl Validate for Settings {
    fn validate(&self, _: &mut Faults) {}
}

/// A service whose only method calls a peer that is not there.
#[derive(Clone)]
struct Caller(MeshChannel);

impl tonic::server::NamedService for Caller {
    const NAME: &'static str = "test.Caller";
}

impl tower::Service<http::Request<Body>> for Caller {
    type Response = http::Response<Body>;
    type Error = Infallible;
    type Future = BoxFuture<'static, Result<http::Response<Body>, Infallible>>;

    fn poll_ready(&mut self, _: &mut Wait<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, _: http::Request<Body>) -> Self::Future {
        let peer = self.0.clone();
        Box::pin(async move { Ok(call(peer).await.expect_err("nobody is there").into_http()) })
    }
}

async fn call(peer: MeshChannel) -> Result<(), Status> {
    let path = http::uri::PathAndQuery::from_static("/test.Caller/Call");
    let codec = tonic_prost::ProstCodec::<String, String>::default();
    let mut grpc = tonic::client::Grpc::new(peer);
    let request = tonic::Request::new(String::new());
    grpc.unary(request, path, codec).await.map(drop)
}

fn channel(address: &str) -> MeshChannel {
    let mesh = Mesh::builder(POLICIES).peer("peer", address).build();
    mesh.expect("mesh").to("peer").expect("peer")
}

#[tokio::test]
async fn given_a_peer_that_is_not_there_then_the_spans_of_those_who_call_it_say_why_they_failed() {
    // Given a handler and a task that call an address where nobody is
    let (causes, mut told) = mpsc::unbounded_channel();
    let watched = tracing_subscriber::registry().with(Causes(causes));
    tracing::subscriber::set_global_default(watched).expect("the first");
    let nobody = TcpListener::bind("127.0.0.1:0").and_then(|port| port.local_addr());
    let nobody = channel(&nobody.expect("an address").to_string());
    let peer = nobody.clone();
    let task = Task::new("caller", Duration::from_secs(60), move || {
        let peer = peer.clone();
        async move {
            call(peer).await?;
            Ok(Report::idle())
        }
    });
    let settings = Loader::new("test")
        .set("host.listen", "127.0.0.1:0")
        .set("host.admin", "127.0.0.1:0")
        .load::<Settings>()
        .expect("settings");
    let running = Host::builder("test", &settings.host)
        .policies(POLICIES)
        .service(Caller(nobody))
        .task(task)
        .start()
        .await
        .expect("started");

    // When the handler is called
    let called = call(channel(&running.addr().to_string())).await;
    called.expect_err("refused");

    // Then the span of either tells the cause
    let mut missing = vec!["call", "task"];
    while !missing.is_empty() {
        let (span, cause) = told.recv().await.expect("the process watches");
        assert!(!cause.is_empty());
        eprintln!("{span}: {cause}");
        missing.retain(|name| *name != span);
    }
}
