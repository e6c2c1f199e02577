//! Traces reach a collector over a real socket, under the ids that travelled with the calls, and what waits is
//! sent when the service ends. In a process of its own: what collects is the process's.

use cleave_host::Host;
use cleave_host::config::{Faults, HostSettings, Loader, TelemetrySettings, Validate};
use cleave_mesh::Mesh;
use cleave_mesh::policy::{MethodPolicy, PolicyTable};
use opentelemetry_proto::tonic::collector::trace::v1::trace_service_server::{
    TraceService, TraceServiceServer,
};
use opentelemetry_proto::tonic::collector::trace::v1::{
    ExportTraceServiceRequest, ExportTraceServiceResponse,
};
use opentelemetry_proto::tonic::trace::v1::Span;
use serde::Deserialize;
use std::time::Duration;
use tokio::sync::mpsc;
use tonic::{Request, Response, Status};

static POLICIES: PolicyTable =
    PolicyTable::new(&[MethodPolicy::new("/grpc.health.v1.Health/Check")]);

/// A collector that hands on what it gets.
struct Collector(mpsc::UnboundedSender<ExportTraceServiceRequest>);

#[tonic::async_trait]
impl TraceService for Collector {
    async fn export(
        &self,
        request: Request<ExportTraceServiceRequest>,
    ) -> Result<Response<ExportTraceServiceResponse>, Status> {
        let _ = self.0.send(request.into_inner());
        Ok(Response::new(ExportTraceServiceResponse::default()))
    }
}

#[derive(Deserialize)]
struct Settings {
    host: HostSettings,
    telemetry: TelemetrySettings,
}

impl Validate for Settings {
    fn validate(&self, faults: &mut Faults) {
        self.telemetry.validate(faults);
    }
}

fn settings(endpoint: &str) -> Result<Settings, impl std::fmt::Display> {
    Loader::new("test")
        .set("host.listen", "127.0.0.1:0")
        .set("host.admin", "127.0.0.1:0")
        .set("host.lame_duck", "1ms")
        .set("telemetry.otlp.endpoint", endpoint)
        // Longer than the test: only the end of the service sends.
        .set("telemetry.otlp.delay", "10m")
        .load()
}

/// Starts a collector; its address, and what it gets.
async fn collector() -> (String, mpsc::UnboundedReceiver<ExportTraceServiceRequest>) {
    let (told, got) = mpsc::unbounded_channel();
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await;
    let listener = listener.expect("a port");
    let address = format!("http://{}", listener.local_addr().expect("an address"));
    let incoming = tonic::transport::server::TcpIncoming::from(listener);
    let server =
        tonic::transport::Server::builder().add_service(TraceServiceServer::new(Collector(told)));
    tokio::spawn(server.serve_with_incoming(incoming));
    (address, got)
}

#[test]
fn given_an_address_that_cannot_be_a_collectors_then_the_setting_is_named() {
    for wrong in ["https://collector:4317", "127.0.0.1:4317", "not an address"] {
        let Err(fault) = settings(wrong) else {
            panic!("{wrong} was taken");
        };
        assert!(
            fault.to_string().contains("telemetry.otlp.endpoint"),
            "{fault}"
        );
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn given_a_collector_when_the_service_ends_then_it_has_the_spans_of_a_call_under_its_trace() {
    let (address, mut got) = collector().await;
    let settings = settings(&address).unwrap_or_else(|fault| panic!("{fault}"));
    cleave_host::telemetry::export("test", &settings.telemetry).expect("a collector");
    let running = Host::builder("test", &settings.host)
        .policies(POLICIES)
        .start()
        .await
        .expect("started");
    running.ready().await;

    let mesh = Mesh::builder(POLICIES)
        .caller("operations")
        .peer("self", &running.addr().to_string())
        .build();
    let channel = mesh.expect("mesh").to("self").expect("peer");
    let health = tonic_health::pb::health_client::HealthClient::new(channel);
    let request = tonic_health::pb::HealthCheckRequest::default();
    let answer = health.clone().check(request).await;
    answer.expect("healthy");

    assert!(running.shutdown().await.clean);
    let export = tokio::time::timeout(Duration::from_secs(20), got.recv()).await;
    let export = export.expect("in time").expect("a collector");
    let of_service = format!("{:?}", export.resource_spans[0].resource);
    assert!(of_service.contains("test"), "{of_service}");
    let spans: Vec<&Span> = export
        .resource_spans
        .iter()
        .flat_map(|resource| &resource.scope_spans)
        .flat_map(|scope| &scope.spans)
        .collect();
    let named = |name: &str| {
        let found = spans.iter().find(|span| span.name == name);
        *found.unwrap_or_else(|| panic!("no {name} in {spans:?}"))
    };
    let sent = named("Sent.grpc.health.v1.Health.Check");
    let attempt = named("Attempt.grpc.health.v1.Health.Check");
    let received = named("Recv.grpc.health.v1.Health.Check");
    for span in [attempt, received] {
        assert_eq!(span.trace_id, sent.trace_id);
    }
    assert!(
        sent.parent_span_id.iter().all(|byte| *byte == 0),
        "{sent:?}"
    );
    assert_eq!(attempt.parent_span_id, sent.span_id);
    assert_eq!(received.parent_span_id, attempt.span_id);
    assert!(received.end_time_unix_nano >= received.start_time_unix_nano);
    let attributes = format!("{:?}", received.attributes);
    assert!(
        attributes.contains("operations") && attributes.contains("OK"),
        "{attributes}"
    );
}
