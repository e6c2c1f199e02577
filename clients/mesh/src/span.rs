//! The steps of a trace, told once each is over, under the names of gRPC's tracing design (A72): `Sent.` a call,
//! `Attempt.` one attempt at it, `Recv.` a call that was handled.
//!
//! Nothing is recorded unless somebody collects: then a step costs what its own name costs.

use crate::cause::Cause;
use crate::metrics::code_name;
use crate::trace::TraceContext;
use std::fmt;
use std::sync::{Arc, OnceLock};
use std::time::{Duration, Instant};
use tonic::Code;

/// Which step it was.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SpanKind {
    /// A call, as its caller sees it.
    Sent,
    /// One attempt at a call.
    Attempt,
    /// A call, as the service that handles it sees it.
    Received,
}

/// A step of a trace that is over.
#[derive(Debug, Clone)]
pub struct Span {
    /// Which step it was.
    pub kind: SpanKind,
    /// The method, such as `cleave.billing.v1.AccountService/GetAccount`.
    pub method: Arc<str>,
    /// The trace, and the step in it.
    pub trace: TraceContext,
    /// The peer, as far as it is known: the callee's name, or the caller's.
    pub peer: Option<Arc<str>>,
    /// How long it took, up to now.
    pub duration: Duration,
    /// How it ended.
    pub code: Code,
    /// What made it fail, when it is a call that did.
    pub cause: Option<Cause>,
}

/// Whoever wants to know of steps. Called where the step ended: it must neither wait nor fail.
pub trait Collector: Send + Sync {
    /// Whether the trace is one of those to be kept.
    fn wants(&self, trace: &TraceContext) -> bool;
    /// A step is over.
    fn collect(&self, span: Span);
}

static COLLECTOR: OnceLock<Box<dyn Collector>> = OnceLock::new();

/// Has all steps of this process told to `collector` from now on; `false` when there is one already.
pub fn collect(collector: impl Collector + 'static) -> bool {
    COLLECTOR.set(Box::new(collector)).is_ok()
}

/// A step under way. Dropped without an end it is not told.
pub struct OpenSpan {
    collector: &'static dyn Collector,
    kind: SpanKind,
    method: Arc<str>,
    trace: TraceContext,
    peer: Option<Arc<str>>,
    start: Instant,
}

impl OpenSpan {
    /// A step begins, if anybody collects it. `method` may begin with a slash, as paths do.
    #[must_use]
    pub fn begin(
        kind: SpanKind,
        method: &str,
        trace: &TraceContext,
        peer: Option<&Arc<str>>,
    ) -> Option<Self> {
        let collector = &**COLLECTOR.get()?;
        if !trace.is_sampled() || !collector.wants(trace) {
            return None;
        }
        Some(Self {
            collector,
            kind,
            method: Arc::from(method.trim_start_matches('/')),
            trace: trace.clone(),
            peer: peer.cloned(),
            start: Instant::now(),
        })
    }

    /// A step within this one.
    #[must_use]
    pub fn within(&self, kind: SpanKind) -> Self {
        Self {
            collector: self.collector,
            kind,
            method: Arc::clone(&self.method),
            trace: self.trace.child(),
            peer: self.peer.clone(),
            start: Instant::now(),
        }
    }

    /// Where the step stands in its trace.
    #[must_use]
    pub const fn trace(&self) -> &TraceContext {
        &self.trace
    }

    /// The step is over.
    pub fn finish(self, code: Code) {
        self.end(code, None);
    }

    /// The same, and what made it fail.
    pub(crate) fn end(self, code: Code, cause: Option<Cause>) {
        self.collector.collect(Span {
            kind: self.kind,
            method: self.method,
            trace: self.trace,
            peer: self.peer,
            duration: self.start.elapsed(),
            code,
            cause,
        });
    }
}

impl fmt::Debug for OpenSpan {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("OpenSpan")
            .field("kind", &self.kind)
            .field("method", &self.method)
            .finish_non_exhaustive()
    }
}

impl Span {
    /// The name of the design.
    #[must_use]
    pub fn name(&self) -> String {
        let kind = match self.kind {
            SpanKind::Sent => "Sent",
            SpanKind::Attempt => "Attempt",
            SpanKind::Received => "Recv",
        };
        format!("{kind}.{}", self.method.replace('/', "."))
    }

    /// The name of the status.
    #[must_use]
    pub const fn status(&self) -> &'static str {
        code_name(self.code)
    }
}
