//! What the mesh adds to a request: decided once for a call, written into each attempt.

use crate::chain::{Chain, Hop};
use crate::names::{GRPC_TIMEOUT, HOPS, PREVIOUS_ATTEMPTS, TRACEPARENT, TRACESTATE};
use crate::timeout;
use crate::trace::TraceContext;
use http::{HeaderMap, HeaderValue};
use std::time::Duration;

/// So many headers are added at most, and the client's name: room for all of them is made at once.
const ADDED_HEADERS: usize = 6;

/// What every attempt at a call carries.
#[derive(Debug)]
pub(crate) struct Stamp {
    hops: Option<HeaderValue>,
    /// Where the call stands in its trace, unless whoever makes it has said so itself.
    pub(crate) trace: Option<TraceContext>,
}

impl Stamp {
    /// For a call that comes from `chain` by way of `own`, which repeats it or not; its trace goes on from `inbound`.
    pub(crate) fn new(
        chain: &Chain,
        own: &Hop,
        repeats: bool,
        inbound: Option<&TraceContext>,
        asked: &HeaderMap,
    ) -> Self {
        let step = || inbound.map_or_else(TraceContext::root, TraceContext::child);
        Self {
            hops: chain.header(own, repeats),
            trace: (!asked.contains_key(TRACEPARENT)).then(step),
        }
    }

    /// Writes it into the headers of an attempt that follows `made` others, with so much time left. `own` is the
    /// attempt's place in the trace, when it has one: what the peer does is caused by the attempt, not by the call
    /// as a whole.
    pub(crate) fn write(
        &self,
        headers: &mut HeaderMap,
        own: Option<&TraceContext>,
        left: Option<Duration>,
        made: u32,
    ) {
        headers.reserve(ADDED_HEADERS);
        if let Some(hops) = &self.hops {
            headers.insert(HOPS, hops.clone());
        }
        match left.and_then(timeout::header) {
            Some(value) => headers.insert(GRPC_TIMEOUT, value),
            None => headers.remove(GRPC_TIMEOUT),
        };
        if made > 0 {
            headers.insert(PREVIOUS_ATTEMPTS, HeaderValue::from(made));
        }
        let Some(trace) = own.or(self.trace.as_ref()) else {
            return;
        };
        if let Some(value) = trace.header() {
            headers.insert(TRACEPARENT, value);
        }
        if let Some(Ok(state)) = trace.state().map(HeaderValue::from_str) {
            headers.insert(TRACESTATE, state);
        }
    }
}
