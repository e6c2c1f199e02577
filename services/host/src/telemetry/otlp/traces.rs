//! Traces: each step of a call as the mesh tells it, with the ids that travelled.
//!
//! Steps wait in a bounded queue and go out in batches from a thread of their own; while no collector answers,
//! the queue runs over and calls notice nothing.

use super::{resource, since_epoch};
use crate::config::OtlpSettings;
use anyhow::Context as _;
use cleave_mesh::TraceContext;
use cleave_mesh::span::{self, Collector, Span, SpanKind};
use opentelemetry::trace::{
    SpanContext, SpanId, SpanKind as Kind, Status, TraceFlags, TraceId, TraceState,
};
use opentelemetry::{InstrumentationScope, KeyValue};
use opentelemetry_otlp::{SpanExporter, WithExportConfig as _};
use opentelemetry_sdk::trace::{
    BatchConfigBuilder, BatchSpanProcessor, SpanData, SpanEvents, SpanLinks, SpanProcessor as _,
};
use std::sync::{Arc, OnceLock};
use std::time::{Duration, SystemTime};
use tokio::sync::oneshot;
use tonic::Code;

/// Steps that wait to be sent; beyond that they are dropped.
const WAITING: usize = 8_192;

/// What sends, once it was configured.
static EXPORT: OnceLock<Arc<Export>> = OnceLock::new();

#[derive(Debug)]
struct Export {
    processor: BatchSpanProcessor,
    scope: InstrumentationScope,
    /// Traces whose id begins with a number below this are sent.
    below: u64,
    timeout: Duration,
}

/// Sends traces of this process as those of `service`.
///
/// # Errors
/// When the address cannot be one.
///
/// # Panics
/// Outside a runtime: the connection to the collector lives there.
pub(super) fn export(service: &'static str, settings: &OtlpSettings) -> anyhow::Result<()> {
    let exporter = SpanExporter::builder()
        .with_tonic()
        .with_endpoint(&settings.endpoint)
        .with_timeout(settings.timeout)
        .build()
        .context("telemetry.otlp")?;
    let batches = BatchConfigBuilder::default()
        .with_max_queue_size(WAITING)
        .with_scheduled_delay(settings.delay)
        .build();
    let mut processor = BatchSpanProcessor::builder(exporter)
        .with_batch_config(batches)
        .build();
    processor.set_resource(&resource(service));
    let export = Arc::new(Export {
        processor,
        scope: InstrumentationScope::builder("cleave-mesh").build(),
        below: match settings.percent {
            100.. => u64::MAX,
            percent => u64::from(percent) * (u64::MAX / 100),
        },
        timeout: settings.timeout,
    });
    if EXPORT.set(Arc::clone(&export)).is_ok() && !span::collect(Collected(export)) {
        tracing::warn!("another collector of traces is installed; none are sent");
    }
    Ok(())
}

/// Sends what waits, if that takes neither `time` nor the configured timeout.
pub(super) async fn flush(time: Duration) {
    let Some(export) = EXPORT.get().cloned() else {
        return;
    };
    let time = time.min(export.timeout);
    let (told, done) = oneshot::channel();
    // A thread of its own and not one of the runtime's: the runtime's end would wait for it.
    let flushing = std::thread::Builder::new().name("otlp-flush".to_owned());
    let flushing = flushing.spawn(move || {
        let _ = told.send(export.processor.force_flush());
    });
    if flushing.is_err() {
        return;
    }
    match tokio::time::timeout(time, done).await {
        Ok(Ok(Ok(()))) => {}
        Ok(Ok(Err(error))) => tracing::warn!(%error, "traces that waited were not sent"),
        Ok(Err(_)) | Err(_) => tracing::warn!("traces that waited were not sent in time"),
    }
}

struct Collected(Arc<Export>);

impl Collector for Collected {
    fn wants(&self, trace: &TraceContext) -> bool {
        let (trace, _, _) = trace.ids();
        let beginning = u64::try_from(trace >> 64).unwrap_or(u64::MAX);
        self.0.below == u64::MAX || beginning < self.0.below
    }

    fn collect(&self, span: Span) {
        self.0.processor.on_end(data(&self.0.scope, span));
    }
}

fn data(scope: &InstrumentationScope, span: Span) -> SpanData {
    let (trace_id, span_id, parent_id) = span.trace.ids();
    let end = SystemTime::UNIX_EPOCH + since_epoch();
    let state = span.trace.state().unwrap_or_default();
    let received = span.kind == SpanKind::Received;
    let mut attributes = vec![
        KeyValue::new("rpc.system", "grpc"),
        KeyValue::new("rpc.method", Arc::clone(&span.method)),
        KeyValue::new("rpc.response.status_code", span.status()),
    ];
    if let Some(cause) = span.cause {
        attributes.push(KeyValue::new("rpc.cause", cause.name()));
    }
    if let Some(peer) = &span.peer {
        let key = if received {
            "rpc.caller"
        } else {
            "server.address"
        };
        attributes.push(KeyValue::new(key, Arc::clone(peer)));
    }
    SpanData {
        span_context: SpanContext::new(
            TraceId::from(trace_id),
            SpanId::from(span_id),
            TraceFlags::SAMPLED,
            false,
            state.parse::<TraceState>().unwrap_or_default(),
        ),
        parent_span_id: SpanId::from(parent_id),
        parent_span_is_remote: received && parent_id != 0,
        span_kind: match span.kind {
            SpanKind::Received => Kind::Server,
            SpanKind::Sent => Kind::Internal,
            SpanKind::Attempt => Kind::Client,
        },
        name: span.name().into(),
        start_time: end.checked_sub(span.duration).unwrap_or(end),
        end_time: end,
        attributes,
        dropped_attributes_count: 0,
        events: SpanEvents::default(),
        links: SpanLinks::default(),
        status: match span.code {
            Code::Ok => Status::Unset,
            _ => Status::error(span.status()),
        },
        instrumentation_scope: scope.clone(),
    }
}
