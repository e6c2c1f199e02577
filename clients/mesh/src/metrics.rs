//! What the caller's half counts, under the names of gRPC's metrics design (A66, A96).

use crate::cause::Cause;
use crate::contract::{ContractState, Level};
use crate::deadline::Deadline;
use crate::policy::{MethodPolicy, PolicyTable};
use metrics::{Counter, Histogram, Label, counter, histogram};
use std::collections::HashMap;
use std::sync::{Arc, OnceLock};
use std::time::Instant;
use tonic::Code;

/// The method label of calls that the contracts do not know.
const OTHER: &str = "other";

/// Latency buckets of the design, in seconds.
pub const LATENCY_BUCKETS: [f64; 41] = [
    0.0, 0.000_01, 0.000_05, 0.000_1, 0.000_3, 0.000_6, 0.000_8, 0.001, 0.002, 0.003, 0.004, 0.005,
    0.006, 0.008, 0.01, 0.013, 0.016, 0.02, 0.025, 0.03, 0.04, 0.05, 0.065, 0.08, 0.1, 0.13, 0.16,
    0.2, 0.25, 0.3, 0.4, 0.5, 0.65, 0.8, 1.0, 2.0, 5.0, 10.0, 20.0, 50.0, 100.0,
];

/// Size buckets of the design, in bytes.
pub const SIZE_BUCKETS: [f64; 15] = [
    0.0,
    1_024.0,
    2_048.0,
    4_096.0,
    16_384.0,
    65_536.0,
    262_144.0,
    1_048_576.0,
    4_194_304.0,
    16_777_216.0,
    67_108_864.0,
    268_435_456.0,
    1_073_741_824.0,
    4_294_967_296.0,
    17_179_869_184.0,
];

/// The name of a status code in labels.
#[must_use]
pub const fn code_name(code: Code) -> &'static str {
    match code {
        Code::Ok => "OK",
        Code::Cancelled => "CANCELLED",
        Code::Unknown => "UNKNOWN",
        Code::InvalidArgument => "INVALID_ARGUMENT",
        Code::DeadlineExceeded => "DEADLINE_EXCEEDED",
        Code::NotFound => "NOT_FOUND",
        Code::AlreadyExists => "ALREADY_EXISTS",
        Code::PermissionDenied => "PERMISSION_DENIED",
        Code::ResourceExhausted => "RESOURCE_EXHAUSTED",
        Code::FailedPrecondition => "FAILED_PRECONDITION",
        Code::Aborted => "ABORTED",
        Code::OutOfRange => "OUT_OF_RANGE",
        Code::Unimplemented => "UNIMPLEMENTED",
        Code::Internal => "INTERNAL",
        Code::Unavailable => "UNAVAILABLE",
        Code::DataLoss => "DATA_LOSS",
        Code::Unauthenticated => "UNAUTHENTICATED",
    }
}

/// Number of status codes.
const CODES: usize = 17;

/// Something made once for each status code, when it first occurs.
#[derive(Debug)]
pub struct ByStatus<T>([OnceLock<T>; CODES]);

impl<T> Default for ByStatus<T> {
    fn default() -> Self {
        Self(std::array::from_fn(|_| OnceLock::new()))
    }
}

impl<T> ByStatus<T> {
    /// What belongs to the code.
    pub fn get(&self, code: Code, make: impl FnOnce() -> T) -> &T {
        let index = usize::try_from(i32::from(code)).unwrap_or(0);
        self.0[index.min(CODES - 1)].get_or_init(make)
    }
}

/// The method label of a call.
#[must_use]
pub fn method_name(method: Option<&'static MethodPolicy>) -> &'static str {
    method.map_or(OTHER, MethodPolicy::name)
}

/// Tells the recorder what the metrics mean. Once per process, after the recorder is installed.
pub fn describe() {
    use metrics::{Unit, describe_counter, describe_histogram};
    describe_counter!(
        "grpc.client.attempt.started",
        "Attempts begun by this client"
    );
    describe_histogram!(
        "grpc.client.attempt.duration",
        Unit::Seconds,
        "Time of each attempt"
    );
    describe_histogram!(
        "grpc.client.attempt.sent_total_compressed_message_size",
        Unit::Bytes,
        "Bytes of messages sent by each attempt"
    );
    describe_histogram!(
        "grpc.client.attempt.rcvd_total_compressed_message_size",
        Unit::Bytes,
        "Bytes of messages received by each attempt"
    );
    describe_histogram!(
        "grpc.client.call.duration",
        Unit::Seconds,
        "Time of each call, all of its attempts included"
    );
    describe_histogram!(
        "grpc.client.call.retries",
        "Retries made by each call that made any"
    );
    describe_histogram!(
        "grpc.client.call.transparent_retries",
        "Requests sent again because the peer never saw them, by each call that had any"
    );
    describe_counter!(
        "cleave.client.call.failures",
        "Calls that failed, by what made them fail"
    );
    describe_counter!(
        "cleave.client.contract.checks",
        "Connections opened, by how well the contracts of both sides agree"
    );
    describe_counter!(
        "cleave.client.contract.skews",
        "Methods in which the contracts of both sides differ, for each connection opened"
    );
}

/// A connection was opened to a replica with such a contract.
pub(crate) fn contract_met(target: &Arc<str>, contract: &ContractState) {
    let target = || Label::new("grpc.target", Arc::clone(target));
    let level = contract.level.map_or("unknown", Level::name);
    let labels = vec![target(), Label::from_static_parts("level", level)];
    counter!("cleave.client.contract.checks", labels).increment(1);
    for skew in &contract.skews {
        let labels = vec![
            target(),
            Label::from_static_parts("grpc.method", skew.method),
            Label::from_static_parts("level", skew.level.name()),
        ];
        counter!("cleave.client.contract.skews", labels).increment(1);
    }
}

/// What is recorded of one method towards one peer; each metric is looked up once.
#[derive(Debug)]
pub(crate) struct MethodMetrics {
    method: &'static str,
    target: Arc<str>,
    started: OnceLock<Counter>,
    retries: OnceLock<Histogram>,
    transparent: OnceLock<Histogram>,
    failures: [OnceLock<Counter>; Cause::ALL.len()],
    calls: ByStatus<Histogram>,
    attempts: ByStatus<AttemptMetrics>,
}

/// What is recorded of an attempt.
#[derive(Debug)]
struct AttemptMetrics {
    duration: Histogram,
    sent: Histogram,
    received: Histogram,
}

impl MethodMetrics {
    fn new(method: Option<&'static MethodPolicy>, target: Arc<str>) -> Self {
        Self {
            method: method_name(method),
            target,
            started: OnceLock::new(),
            retries: OnceLock::new(),
            transparent: OnceLock::new(),
            failures: std::array::from_fn(|_| OnceLock::new()),
            calls: ByStatus::default(),
            attempts: ByStatus::default(),
        }
    }

    fn labels(&self) -> Vec<Label> {
        vec![
            Label::from_static_parts("grpc.method", self.method),
            Label::new("grpc.target", Arc::clone(&self.target)),
        ]
    }

    fn with_status(&self, code: Code) -> Vec<Label> {
        let mut labels = self.labels();
        labels.push(Label::from_static_parts("grpc.status", code_name(code)));
        labels
    }

    fn failure(&self, cause: Cause) {
        let index = Cause::ALL.iter().position(|known| *known == cause);
        let Some(failures) = index.and_then(|index| self.failures.get(index)) else {
            return;
        };
        let make = || {
            let mut labels = self.labels();
            labels.push(Label::from_static_parts("cause", cause.name()));
            counter!("cleave.client.call.failures", labels)
        };
        failures.get_or_init(make).increment(1);
    }

    fn attempt(&self, code: Code) -> &AttemptMetrics {
        self.attempts.get(code, || {
            let of = |name: &'static str| histogram!(name, self.with_status(code));
            AttemptMetrics {
                duration: of("grpc.client.attempt.duration"),
                sent: of("grpc.client.attempt.sent_total_compressed_message_size"),
                received: of("grpc.client.attempt.rcvd_total_compressed_message_size"),
            }
        })
    }
}

/// What is recorded towards one peer.
#[derive(Debug)]
pub(crate) struct PeerMetrics {
    methods: HashMap<&'static str, Arc<MethodMetrics>>,
    other: Arc<MethodMetrics>,
}

impl PeerMetrics {
    pub(crate) fn new(policies: PolicyTable, target: &Arc<str>) -> Self {
        let of = |method| Arc::new(MethodMetrics::new(method, Arc::clone(target)));
        let methods = policies
            .iter()
            .map(|method| (method.path, of(Some(method))))
            .collect();
        Self {
            methods,
            other: of(None),
        }
    }

    /// A meter for a call that begins now.
    pub(crate) fn call(&self, method: Option<&'static MethodPolicy>) -> CallMeter {
        let known = method.and_then(|method| self.methods.get(method.path));
        CallMeter {
            metrics: Arc::clone(known.unwrap_or(&self.other)),
            start: Instant::now(),
            retries: 0,
            transparent: 0,
            done: false,
        }
    }
}

/// Times one call, from its start to the end of its answer. Dropped early, it counts as cancelled.
#[derive(Debug)]
pub(crate) struct CallMeter {
    metrics: Arc<MethodMetrics>,
    start: Instant,
    retries: u32,
    transparent: u32,
    done: bool,
}

impl CallMeter {
    /// The request is sent again because the peer never saw it.
    pub(crate) fn transparent_retry(&mut self) {
        self.transparent += 1;
    }

    /// The call failed for good.
    pub(crate) fn fail(&mut self, code: Code, cause: Cause) {
        if !self.done {
            self.metrics.failure(cause);
            tracing::debug!(
                rpc.method = self.metrics.method,
                rpc.peer = &*self.metrics.target,
                rpc.status = code_name(code),
                rpc.cause = cause.name(),
                "call failed"
            );
            tracing::Span::current().record("rpc.cause", cause.name());
        }
        self.finish(code);
    }

    /// Another attempt begins.
    pub(crate) fn retry(&mut self) {
        self.retries += 1;
    }

    /// A meter for the attempt that begins now.
    pub(crate) fn attempt(&self, deadline: Option<Deadline>) -> AttemptMeter {
        let started = || counter!("grpc.client.attempt.started", self.metrics.labels());
        self.metrics.started.get_or_init(started).increment(1);
        AttemptMeter {
            metrics: Arc::clone(&self.metrics),
            start: Instant::now(),
            sent: 0,
            received: 0,
            deadline,
            done: false,
        }
    }

    /// The call has its final status.
    pub(crate) fn finish(&mut self, code: Code) {
        if std::mem::replace(&mut self.done, true) {
            return;
        }
        let metrics = &self.metrics;
        let calls = || histogram!("grpc.client.call.duration", metrics.with_status(code));
        metrics.calls.get(code, calls).record(self.start.elapsed());
        if self.retries > 0 {
            let retries = || histogram!("grpc.client.call.retries", metrics.labels());
            metrics.retries.get_or_init(retries).record(self.retries);
        }
        if self.transparent > 0 {
            let again = || histogram!("grpc.client.call.transparent_retries", metrics.labels());
            let again = metrics.transparent.get_or_init(again);
            again.record(self.transparent);
        }
    }
}

impl Drop for CallMeter {
    fn drop(&mut self) {
        self.finish(Code::Cancelled);
    }
}

/// Measures one attempt. Dropped early, it counts as cancelled, or as expired once its deadline has
/// passed.
#[derive(Debug)]
pub(crate) struct AttemptMeter {
    metrics: Arc<MethodMetrics>,
    start: Instant,
    sent: u64,
    received: u64,
    deadline: Option<Deadline>,
    done: bool,
}

impl AttemptMeter {
    /// So many bytes of messages are sent.
    pub(crate) fn sent(&mut self, bytes: u64) {
        self.sent = bytes;
    }

    /// So many bytes of messages have come back.
    pub(crate) fn received(&mut self, bytes: u64) {
        self.received = bytes;
    }

    /// The attempt has its status.
    pub(crate) fn finish(&mut self, code: Code) {
        if std::mem::replace(&mut self.done, true) {
            return;
        }
        let metrics = self.metrics.attempt(code);
        metrics.duration.record(self.start.elapsed());
        metrics.sent.record(size(self.sent));
        metrics.received.record(size(self.received));
    }
}

impl Drop for AttemptMeter {
    fn drop(&mut self) {
        let expired = self.deadline.is_some_and(Deadline::has_passed);
        self.finish(if expired {
            Code::DeadlineExceeded
        } else {
            Code::Cancelled
        });
    }
}

/// A number of bytes as histograms take it; exact up to 4 GiB.
#[must_use]
pub fn size(bytes: u64) -> f64 {
    u32::try_from(bytes).map_or(f64::from(u32::MAX), f64::from)
}
