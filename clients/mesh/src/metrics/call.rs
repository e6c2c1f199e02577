//! The meters of calls and their attempts.

use super::method::MethodMetrics;
use super::{code_name, size};
use crate::cause::Cause;
use crate::deadline::Deadline;
use crate::span::{OpenSpan, SpanKind};
use crate::trace::TraceContext;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;
use tokio::time::Instant;
use tonic::Code;

/// Times one call, from its start to the end of its answer. Dropped early, it counts as cancelled.
#[derive(Debug)]
pub(crate) struct CallMeter {
    metrics: Arc<MethodMetrics>,
    start: Instant,
    retries: u32,
    transparent: AtomicU32,
    hedges: AtomicU32,
    /// The time in which no attempt was out.
    delay: Duration,
    done: bool,
    /// On the heap, for few calls have one.
    span: Option<Box<OpenSpan>>,
}

impl CallMeter {
    pub(super) fn new(metrics: Arc<MethodMetrics>, start: Instant) -> Self {
        Self {
            metrics,
            start,
            retries: 0,
            transparent: AtomicU32::new(0),
            hedges: AtomicU32::new(0),
            delay: Duration::ZERO,
            done: false,
            span: None,
        }
    }

    /// Where the call stands in its trace.
    pub(crate) fn trace(&mut self, trace: &TraceContext) {
        let (method, target) = (self.metrics.method, &self.metrics.target);
        self.span = OpenSpan::begin(SpanKind::Sent, method, trace, Some(target)).map(Box::new);
    }

    /// The request is sent again because the peer never saw it.
    pub(crate) fn transparent_retry(&self) {
        self.transparent.fetch_add(1, Ordering::Relaxed);
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
        self.end(code, Some(cause));
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

    /// When the call began.
    pub(crate) const fn start(&self) -> Instant {
        self.start
    }

    /// A meter for an attempt that begins at `start`.
    pub(crate) fn attempt(&self, start: Instant, deadline: Option<Deadline>) -> AttemptMeter {
        let started = || {
            let name = "grpc.client.attempt.started";
            self.metrics.books.counter(name, self.metrics.labels())
        };
        self.metrics.started.get_or_init(started).increment(1);
        AttemptMeter {
            metrics: Arc::clone(&self.metrics),
            start,
            sent: 0,
            received: 0,
            deadline,
            done: false,
            span: self
                .span
                .as_ref()
                .map(|call| Box::new(call.within(SpanKind::Attempt))),
        }
    }

    /// The call has its final status.
    pub(crate) fn finish(&mut self, code: Code) {
        self.end(code, None);
    }

    fn end(&mut self, code: Code, cause: Option<Cause>) {
        if std::mem::replace(&mut self.done, true) {
            return;
        }
        let metrics = &self.metrics;
        let calls = || {
            let labels = metrics.with_status(code);
            metrics.books.histogram("grpc.client.call.duration", labels)
        };
        metrics.calls.get(code, calls).record(self.start.elapsed());
        self.repetitions();
        if let Some(span) = self.span.take() {
            span.end(code, cause);
        }
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
                self.transparent.load(Ordering::Relaxed),
            ),
            (&metrics.hedges, "grpc.client.call.hedges", hedges),
        ];
        for (known, name, count) in counts {
            if count > 0 {
                let make = || metrics.books.histogram(name, metrics.labels());
                known.get_or_init(make).record(count);
            }
        }
        if !self.delay.is_zero() {
            let name = "grpc.client.call.retry_delay";
            let make = || metrics.books.histogram(name, metrics.labels());
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
    /// On the heap, for few calls have one.
    span: Option<Box<OpenSpan>>,
}

impl AttemptMeter {
    /// Where the attempt stands in its trace, when somebody collects that.
    pub(crate) fn trace(&self) -> Option<&TraceContext> {
        self.span.as_deref().map(OpenSpan::trace)
    }

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
        if let Some(span) = self.span.take() {
            span.finish(code);
        }
    }
}

impl Drop for AttemptMeter {
    fn drop(&mut self) {
        if self.done {
            return;
        }
        let expired = self.deadline.is_some_and(Deadline::has_passed);
        self.finish(if expired {
            Code::DeadlineExceeded
        } else {
            Code::Cancelled
        });
    }
}
