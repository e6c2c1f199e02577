//! What calls and their attempts are recorded as: each series is looked up once.

use super::books::Books;
use super::call::CallMeter;
use super::failures::Failures;
use super::{ByStatus, code_name, method_name};
use crate::cause::Cause;
use crate::policy::{MethodPolicy, PolicyTable};
use metrics::{Counter, Histogram, Label};
use std::sync::{Arc, OnceLock};
use tokio::time::Instant;
use tonic::Code;

/// What is recorded of one method towards one peer; each metric is looked up once.
#[derive(Debug)]
pub(super) struct MethodMetrics {
    pub(super) books: Books,
    pub(super) method: &'static str,
    pub(super) target: Arc<str>,
    pub(super) started: OnceLock<Counter>,
    pub(super) retries: OnceLock<Histogram>,
    pub(super) transparent: OnceLock<Histogram>,
    pub(super) hedges: OnceLock<Histogram>,
    pub(super) delay: OnceLock<Histogram>,
    failures: [OnceLock<Counter>; Cause::ALL.len()],
    /// The same of all methods together.
    failed: Arc<Failures>,
    pub(super) calls: ByStatus<Histogram>,
    attempts: ByStatus<AttemptMetrics>,
}

/// What is recorded of an attempt.
#[derive(Debug)]
pub(super) struct AttemptMetrics {
    pub(super) duration: Histogram,
    pub(super) sent: Histogram,
    pub(super) received: Histogram,
}

impl MethodMetrics {
    fn new(
        books: Books,
        method: Option<&'static MethodPolicy>,
        target: Arc<str>,
        failed: Arc<Failures>,
    ) -> Self {
        Self {
            books,
            method: method_name(method),
            target,
            started: OnceLock::new(),
            retries: OnceLock::new(),
            transparent: OnceLock::new(),
            hedges: OnceLock::new(),
            delay: OnceLock::new(),
            failures: std::array::from_fn(|_| OnceLock::new()),
            failed,
            calls: ByStatus::default(),
            attempts: ByStatus::default(),
        }
    }

    pub(super) fn labels(&self) -> Vec<Label> {
        vec![
            Label::from_static_parts("grpc.method", self.method),
            Label::new("grpc.target", Arc::clone(&self.target)),
        ]
    }

    pub(super) fn with_status(&self, code: Code) -> Vec<Label> {
        let mut labels = self.labels();
        labels.push(Label::from_static_parts("grpc.status", code_name(code)));
        labels
    }

    pub(super) fn failure(&self, cause: Cause) {
        self.failed.count(cause);
        let Some(failures) = cause.index().and_then(|index| self.failures.get(index)) else {
            return;
        };
        let make = || {
            let mut labels = self.labels();
            labels.push(Label::from_static_parts("cause", cause.name()));
            self.books.counter("cleave.client.call.failures", labels)
        };
        failures.get_or_init(make).increment(1);
    }

    pub(super) fn attempt(&self, code: Code) -> &AttemptMetrics {
        self.attempts.get(code, || {
            let of = |name: &'static str| self.books.histogram(name, self.with_status(code));
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
    books: Books,
    /// In the order of the table of policies.
    methods: Vec<Arc<MethodMetrics>>,
    other: Arc<MethodMetrics>,
    target: Arc<str>,
    denied: [OnceLock<Counter>; 2],
    failed: Arc<Failures>,
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
    pub(crate) fn new(books: Books, policies: PolicyTable, target: &Arc<str>) -> Self {
        let failed = Arc::<Failures>::default();
        let of = |method| {
            let (target, failed) = (Arc::clone(target), Arc::clone(&failed));
            Arc::new(MethodMetrics::new(books, method, target, failed))
        };
        let methods = policies.iter().map(|method| of(Some(method))).collect();
        Self {
            books,
            methods,
            other: of(None),
            target: Arc::clone(target),
            denied: [const { OnceLock::new() }; 2],
            failed,
        }
    }

    /// How many calls failed, by cause.
    pub(crate) fn failed(&self) -> &Failures {
        &self.failed
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
            self.books.counter("cleave.client.retries_denied", labels)
        };
        self.denied[index].get_or_init(make).increment(1);
    }

    /// A meter for a call that begins at `start`, of the method at this place in the table of policies.
    pub(crate) fn call(&self, method: Option<usize>, start: Instant) -> CallMeter {
        let known = method.and_then(|index| self.methods.get(index));
        CallMeter::new(Arc::clone(known.unwrap_or(&self.other)), start)
    }
}
