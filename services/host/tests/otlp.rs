//! Traces and metrics reach a collector over a real socket, traces under the ids that travelled with the calls, and
//! what waits is sent when the service ends. In a process of its own: what collects is the process's.

use cleave_host::Host;
use cleave_host::config::{Faults, HostSettings, Loader, TelemetrySettings, Validate};
use cleave_mesh::Mesh;
use cleave_mesh::policy::{MethodPolicy, PolicyTable};
use opentelemetry_proto::tonic::collector::metrics::v1::metrics_service_server::{
    MetricsService, MetricsServiceServer,
};
use opentelemetry_proto::tonic::collector::metrics::v1::{
    ExportMetricsServiceRequest, ExportMetricsServiceResponse,
};
use opentelemetry_proto::tonic::collector::trace::v1::trace_service_server::{
    TraceService, TraceServiceServer,
};
use opentelemetry_proto::tonic::collector::trace::v1::{
    ExportTraceServiceRequest, ExportTraceServiceResponse,
};
use opentelemetry_proto::tonic::metrics::v1::{Metric, metric::Data};
use opentelemetry_proto::tonic::trace::v1::Span;
use serde::Deserialize;
use std::time::Duration;
use tokio::sync::mpsc;
use tonic::{Request, Response, Status};

static POLICIES: PolicyTable =
    PolicyTable::new(&[MethodPolicy::new("/grpc.health.v1.Health/Check")]);

/// A collector that hands on what it gets.
#[derive(Clone)]
struct Collector {
    traces: mpsc::UnboundedSender<ExportTraceServiceRequest>,
    metrics: mpsc::UnboundedSender<ExportMetricsServiceRequest>,
}

/// What a collector got.
struct Got {
    traces: mpsc::UnboundedReceiver<ExportTraceServiceRequest>,
    metrics: mpsc::UnboundedReceiver<ExportMetricsServiceRequest>,
}

#[tonic::async_trait]
impl TraceService for Collector {
    async fn export(
        &self,
        request: Request<ExportTraceServiceRequest>,
    ) -> Result<Response<ExportTraceServiceResponse>, Status> {
        let _ = self.traces.send(request.into_inner());
        Ok(Response::new(ExportTraceServiceResponse::default()))
    }
}

#[tonic::async_trait]
impl MetricsService for Collector {
    async fn export(
        &self,
        request: Request<ExportMetricsServiceRequest>,
    ) -> Result<Response<ExportMetricsServiceResponse>, Status> {
        let _ = self.metrics.send(request.into_inner());
        Ok(Response::new(ExportMetricsServiceResponse::default()))
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
        .set("telemetry.otlp.interval", "10m")
        .load()
}

/// Starts a collector; its address, and what it gets.
async fn collector() -> (String, Got) {
    let (traces, got_traces) = mpsc::unbounded_channel();
    let (metrics, got_metrics) = mpsc::unbounded_channel();
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await;
    let listener = listener.expect("a port");
    let address = format!("http://{}", listener.local_addr().expect("an address"));
    let incoming = tonic::transport::server::TcpIncoming::from(listener);
    let collector = Collector { traces, metrics };
    let server = tonic::transport::Server::builder()
        .add_service(TraceServiceServer::new(collector.clone()))
        .add_service(MetricsServiceServer::new(collector));
    tokio::spawn(server.serve_with_incoming(incoming));
    let got = Got {
        traces: got_traces,
        metrics: got_metrics,
    };
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
async fn given_a_collector_when_the_service_ends_then_it_has_the_spans_and_metrics_of_a_call() {
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
    let export = tokio::time::timeout(Duration::from_secs(20), got.traces.recv()).await;
    spans_are_of_one_trace(&export.expect("in time").expect("a collector"));
    let mut last = None;
    while let Ok(export) = got.metrics.try_recv() {
        last = Some(export);
    }
    metrics_have_the_call(&last.expect("they are sent before the service has ended"));
}

fn spans_are_of_one_trace(export: &ExportTraceServiceRequest) {
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

fn metrics_have_the_call(export: &ExportMetricsServiceRequest) {
    let of_service = format!("{:?}", export.resource_metrics[0].resource);
    assert!(of_service.contains("test"), "{of_service}");
    let metrics = &export.resource_metrics[0].scope_metrics[0].metrics;
    let named = |name: &str| -> &Metric {
        let found = metrics.iter().find(|metric| metric.name == name);
        found.unwrap_or_else(|| panic!("no {name} in {metrics:?}"))
    };
    let of_check = |attributes: &dyn std::fmt::Debug| {
        let attributes = format!("{attributes:?}");
        attributes.contains("grpc.method") && attributes.contains("grpc.health.v1.Health/Check")
    };

    let duration = named("grpc.client.call.duration");
    assert_eq!(duration.unit, "s");
    assert_eq!(
        duration.description,
        "Time of each call, all of its attempts included"
    );
    let Some(Data::Histogram(histogram)) = &duration.data else {
        panic!("not a histogram: {duration:?}");
    };
    let points = histogram.data_points.iter();
    let point = points.clone().find(|point| of_check(&point.attributes));
    let point = point.unwrap_or_else(|| panic!("no call in {histogram:?}"));
    assert_eq!(point.count, 1);
    assert_eq!(point.bucket_counts.iter().sum::<u64>(), 1);
    assert_eq!(point.bucket_counts.len(), point.explicit_bounds.len() + 1);
    assert!(point.sum.is_some_and(|sum| sum > 0.0), "{point:?}");
    assert!(point.start_time_unix_nano < point.time_unix_nano);

    let started = named("grpc.server.call.started");
    let Some(Data::Sum(sum)) = &started.data else {
        panic!("not a sum: {started:?}");
    };
    assert!(sum.is_monotonic);
    assert!(
        sum.data_points
            .iter()
            .any(|point| of_check(&point.attributes)),
        "{sum:?}"
    );
}
