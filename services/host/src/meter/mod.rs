//! What the callee's half records of one call: metrics under the names of gRPC's design (A66) and one
//! access line, both once its last byte is on its way.

mod describe;
mod edge;

pub(crate) use describe::describe;

use crate::release;
use crate::serve::Busy;
use crate::tap::{End, Recorder, Tape};
use cleave_kernel::{Clock as _, SystemClock, Timestamp};
use cleave_mesh::context::CallContext;
use cleave_mesh::contract::messages as contract;
use cleave_mesh::metrics::code_name;
use cleave_mesh::policy::PolicyTable;
use cleave_mesh::span::{OpenSpan, SpanKind};
use edge::{Edge, Edges};
use metrics::{Counter, Gauge, counter, gauge};
use std::borrow::Cow;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};
use tonic::Code;

/// Calls of these services are not worth a line at the usual level.
const QUIET: [&str; 3] = ["/grpc.health.v1.", "/grpc.reflection.", contract::PREFIX];

/// Shows whether calls are welcome.
pub(crate) fn ready(service: &str) -> Gauge {
    gauge!("cleave.server.ready", "service" => service.to_owned())
}

/// Shows whether the service is on its way out.
pub(crate) fn draining(service: &str) -> Gauge {
    gauge!("cleave.server.draining", "service" => service.to_owned())
}

/// Shows what a readiness probe found.
pub(crate) fn probe(service: &Arc<str>, probe: &'static str, ok: bool) {
    let service = Arc::clone(service);
    gauge!("cleave.server.probe_ok", "service" => service, "probe" => probe).set(u8::from(ok));
}

/// The figures of the database are fresh.
pub(crate) fn figures_read(service: &'static str) {
    let now = SystemClock.now().since(Timestamp::from_micros(0));
    gauge!("cleave.figures_timestamp_seconds", "service" => service).set(now);
}

/// Tells which release a service is.
pub(crate) fn release(service: &str, policies: PolicyTable) {
    gauge!(
        "cleave.build_info",
        "service" => service.to_owned(),
        "version" => release::VERSION,
        "commit" => release::commit(),
        "contract" => release::contract(policies),
    )
    .set(1.0);
}

/// What is recorded of the connections of a service.
#[derive(Debug)]
pub(crate) struct ConnectionMetrics {
    service: Arc<str>,
    pub(crate) open: Gauge,
    pub(crate) refused: Counter,
    pub(crate) handshake_failures: Counter,
}

impl ConnectionMetrics {
    pub(crate) fn new(service: &str) -> Self {
        let label = || service.to_owned();
        Self {
            service: Arc::from(service),
            open: gauge!("cleave.server.connections", "service" => label()),
            refused: counter!("cleave.server.connections_refused", "service" => label()),
            handshake_failures: counter!("cleave.server.handshake_failures", "service" => label()),
        }
    }

    /// A connection was ended from here.
    pub(crate) fn ended(&self, reason: &'static str) {
        let service = Arc::clone(&self.service);
        counter!("cleave.server.connections_ended", "service" => service, "reason" => reason)
            .increment(1);
    }
}

/// What is recorded of all calls of a service.
#[derive(Debug)]
pub(crate) struct Metrics {
    calls: Gauge,
    edges: Edges,
}

impl Metrics {
    pub(crate) fn new(service: &str, policies: PolicyTable) -> Self {
        Self {
            calls: gauge!("cleave.server.calls", "service" => service.to_owned()),
            edges: Edges::new(policies),
        }
    }

    /// A call begins.
    pub(crate) fn call(
        &self,
        path: &str,
        remote: Option<SocketAddr>,
        busy: Busy,
        context: CallContext,
    ) -> CallMeter {
        let (trace, caller) = (&context.trace, context.caller.as_ref());
        let (path, edge) = self.edges.find(path, caller.map(|name| &**name));
        edge.begin();
        self.calls.increment(1);
        let span = OpenSpan::begin(SpanKind::Received, &path, trace, caller);
        CallMeter {
            span,
            calls: self.calls.clone(),
            busy,
            edge: Arc::clone(edge),
            path,
            remote,
            context,
            start: Instant::now(),
            received: 0,
            sent: 0,
            done: false,
            recorder: None,
        }
    }
}

/// Follows one call. Dropped before its end, the call was cancelled by its caller.
#[derive(Debug)]
pub(crate) struct CallMeter {
    calls: Gauge,
    busy: Busy,
    edge: Arc<Edge>,
    path: Cow<'static, str>,
    remote: Option<SocketAddr>,
    context: CallContext,
    start: Instant,
    received: u64,
    sent: u64,
    done: bool,
    span: Option<OpenSpan>,
    recorder: Option<Recorder>,
}

impl CallMeter {
    /// Hands the call to a recorder, too.
    pub(crate) fn recorded(mut self, recorder: Option<Recorder>) -> Self {
        self.recorder = recorder;
        self
    }

    /// Where the bytes of the request go, when the call is recorded.
    pub(crate) fn tape(&self) -> Option<Tape> {
        self.recorder.as_ref().map(Recorder::request)
    }

    /// A piece of the answer passes.
    pub(crate) fn passes(&self, piece: &[u8]) {
        if let Some(recorder) = &self.recorder {
            recorder.sent(piece);
        }
    }

    /// What handlers of this call see.
    pub(crate) const fn context(&self) -> &CallContext {
        &self.context
    }

    /// Whether the service has something to do for it.
    pub(crate) const fn busy(&mut self) -> &mut Busy {
        &mut self.busy
    }

    /// So many bytes of messages have arrived.
    pub(crate) const fn received(&mut self, bytes: u64) {
        self.received = bytes;
    }

    /// So many bytes of messages have been sent.
    pub(crate) const fn sent(&mut self, bytes: u64) {
        self.sent = bytes;
    }

    /// The call has its status.
    pub(crate) fn finish(&mut self, code: Code) {
        if std::mem::replace(&mut self.done, true) {
            return;
        }
        self.calls.decrement(1);
        let elapsed = self.start.elapsed();
        self.edge.end(code, elapsed, self.sent, self.received);
        self.log(code, elapsed);
        if let Some(span) = self.span.take() {
            span.finish(code);
        }
        if let Some(recorder) = self.recorder.take() {
            recorder.finish(&End {
                path: &self.path,
                context: &self.context,
                remote: self.remote,
                code,
                duration: elapsed,
                received: self.received,
                sent: self.sent,
            });
        }
    }

    /// The access line.
    fn log(&self, code: Code, elapsed: Duration) {
        macro_rules! line {
            ($level:expr) => {
                tracing::event!(
                    target: "access",
                    $level,
                    rpc.method = self.path.trim_start_matches('/'),
                    rpc.status = code_name(code),
                    rpc.caller = self.context.caller.as_deref(),
                    duration_us = u64::try_from(elapsed.as_micros()).unwrap_or(u64::MAX),
                    received_bytes = self.received,
                    sent_bytes = self.sent,
                    client.address = self.remote.map(tracing::field::display),
                    trace.id = %self.context.trace.trace_id(),
                    "call"
                )
            };
        }
        let quiet = QUIET.iter().any(|service| self.path.starts_with(service));
        match code {
            Code::Unknown | Code::Internal | Code::DataLoss => line!(tracing::Level::WARN),
            _ if quiet => line!(tracing::Level::DEBUG),
            _ => line!(tracing::Level::INFO),
        }
    }
}

impl Drop for CallMeter {
    fn drop(&mut self) {
        self.finish(Code::Cancelled);
    }
}
