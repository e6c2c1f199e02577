//! Calls and their attempts.

use super::{ByStatus, code_name, method_name, size};
use crate::cause::Cause;
use crate::deadline::Deadline;
use crate::policy::{MethodPolicy, PolicyTable};
use metrics::{Counter, Histogram, Label, counter, histogram};
use std::collections::HashMap;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::{Duration, Instant};
use tonic::Code;

/// What is recorded of one method towards one peer; each metric is looked up once.
#[derive(Debug)]
pub(crate) struct MethodMetrics {
    method: &'static str,
    target: Arc<str>,
    started: OnceLock<Counter>,
    retries: OnceLock<Histogram>,
    transparent: OnceLock<Histogram>,
    hedges: OnceLock<Histogram>,
    delay: OnceLock<Histogram>,
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
            hedges: OnceLock::new(),
            delay: OnceLock::new(),
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
    target: Arc<str>,
    denied: [OnceLock<Counter>; 2],
}

/// What forbids a repetition that the policy allows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Denial {
    /// Most of the peer's answers are failures.
    Throttle,
    /// Too much of the traffic is repetitions.
    Budget,
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
            target: Arc::clone(target),
            denied: [const { OnceLock::new() }; 2],
        }
    }

    /// A repetition was not made.
    pub(crate) fn denied(&self, denial: Denial) {
        let (index, reason) = match denial {
            Denial::Throttle => (0, "throttle"),
            Denial::Budget => (1, "budget"),
        };
        let make = || {
            let labels = vec![
                Label::new("grpc.target", Arc::clone(&self.target)),
                Label::from_static_parts("reason", reason),
            ];
            counter!("cleave.client.retries_denied", labels)
        };
        self.denied[index].get_or_init(make).increment(1);
    }

    /// A meter for a call that begins now.
    pub(crate) fn call(&self, method: Option<&'static MethodPolicy>) -> CallMeter {
        let known = method.and_then(|method| self.methods.get(method.path));
        CallMeter {
            metrics: Arc::clone(known.unwrap_or(&self.other)),
            start: Instant::now(),
            retries: 0,
            transparent: 0,
            hedges: AtomicU32::new(0),
            delay: Duration::ZERO,
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
    hedges: AtomicU32,
    /// The time in which no attempt was out.
    delay: Duration,
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

    /// Another attempt begins, after so long without one.
    pub(crate) fn retry(&mut self, delay: Duration) {
        self.retries += 1;
        self.delay += delay;
    }

    /// A copy is sent while the call is out.
    pub(crate) fn hedge(&self) {
        self.hedges.fetch_add(1, Ordering::Relaxed);
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
        self.repetitions();
    }

    /// Records what the call needed beyond its first attempt; nothing when that was enough.
    fn repetitions(&self) {
        let metrics = &self.metrics;
        let hedges = self.hedges.load(Ordering::Relaxed);
        let counts = [
            (&metrics.retries, "grpc.client.call.retries", self.retries),
            (
                &metrics.transparent,
                "grpc.client.call.transparent_retries",
                self.transparent,
            ),
            (&metrics.hedges, "grpc.client.call.hedges", hedges),
        ];
        for (known, name, count) in counts {
            if count > 0 {
                let make = || histogram!(name, metrics.labels());
                known.get_or_init(make).record(count);
            }
        }
        if !self.delay.is_zero() {
            let make = || histogram!("grpc.client.call.retry_delay", metrics.labels());
            metrics.delay.get_or_init(make).record(self.delay);
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
