//! What a task knows about the call that it handles.
//!
//! The host sets it around each handler; calls made inside inherit from it. It does not follow
//! `tokio::spawn`: whoever spawns and wants it wraps the future in [`scope`].

use crate::chain::Chain;
use crate::deadline::Deadline;
use crate::trace::TraceContext;
use std::sync::Arc;
use tokio::task::futures::TaskLocalFuture;

tokio::task_local! {
    static CURRENT: CallContext;
}

/// What is known about the call that is being handled.
#[derive(Clone, Debug)]
pub struct CallContext {
    /// When the caller stops waiting; streams may have no deadline.
    pub deadline: Option<Deadline>,
    /// Where the call stands in its trace.
    pub trace: TraceContext,
    /// The workload that calls, as far as it is known.
    pub caller: Option<Arc<str>>,
    /// What the call brings from further up.
    pub chain: Chain,
}

impl CallContext {
    /// The context of work that nobody called for: a task's tick, a command.
    #[must_use]
    pub fn root() -> Self {
        Self {
            deadline: None,
            trace: TraceContext::root(),
            caller: None,
            chain: Chain::default(),
        }
    }
}

/// The context of the current task, when it handles a call.
#[must_use]
pub fn current() -> Option<CallContext> {
    CURRENT.try_with(Clone::clone).ok()
}

/// Runs `future` as part of the call.
pub fn scope<F: Future>(call: CallContext, future: F) -> TaskLocalFuture<CallContext, F> {
    CURRENT.scope(call, future)
}

/// Runs `work` as part of the call; for bodies, which are polled outside the handler.
pub fn enter<T>(call: &CallContext, work: impl FnOnce() -> T) -> T {
    CURRENT.sync_scope(call.clone(), work)
}
