//! A call's stay at one replica: holds its stream, and learns how it went.

use super::breaker::Outcome;
use super::connection::Stream;
use super::endpoint::Endpoint;
use crate::deadline::Deadline;
use crate::names::DRAINING;
use crate::retry::Pushback;
use http::HeaderMap;
use std::sync::Arc;
use tokio::time::Instant;
use tonic::Code;

/// A call's stay at one replica. Dropped early, the caller gave up.
#[derive(Debug)]
pub(crate) struct Ticket {
    endpoint: Arc<Endpoint>,
    stream: Option<Stream>,
    start: Instant,
    deadline: Option<Deadline>,
    /// It is the one call of a probation.
    probe: bool,
    /// The replica was ejected, and there was none better.
    last_resort: bool,
    answered: bool,
    done: bool,
}

/// Tells replicas apart.
#[derive(Debug, Clone)]
pub(crate) struct Mark(Arc<Endpoint>);

impl Mark {
    pub(super) fn is(&self, endpoint: &Arc<Endpoint>) -> bool {
        Arc::ptr_eq(&self.0, endpoint)
    }

    /// Another one answered a call before it did, long after it should have.
    pub(crate) fn stalled(&self, probe: bool) {
        self.0.load.failed(None, Instant::now());
        self.0.finished(Outcome::Bad, probe);
    }
}

impl Ticket {
    pub(super) fn new(
        endpoint: Arc<Endpoint>,
        stream: Stream,
        probe: bool,
        deadline: Option<Deadline>,
        start: Instant,
    ) -> Self {
        endpoint.load.sent(start);
        Self {
            last_resort: !probe && endpoint.breaker.is_ejected(),
            endpoint,
            stream: Some(stream),
            start,
            deadline,
            probe,
            answered: false,
            done: false,
        }
    }

    pub(super) fn stream(&self) -> Option<&Stream> {
        self.stream.as_ref()
    }

    pub(super) fn scheme(&self) -> http::uri::Scheme {
        self.endpoint.scheme()
    }

    pub(super) fn authority(&self) -> &http::uri::Authority {
        &self.endpoint.authority
    }

    /// When it began.
    pub(crate) const fn start(&self) -> Instant {
        self.start
    }

    /// Which replica it is.
    pub(crate) fn mark(&self) -> Mark {
        Mark(Arc::clone(&self.endpoint))
    }

    /// Whether it is the stay of this mark.
    pub(crate) fn is_at(&self, mark: &Mark) -> bool {
        mark.is(&self.endpoint)
    }

    /// Whether the call decides the replica's probation.
    pub(crate) fn is_probe(&self) -> bool {
        self.probe
    }

    /// Whether a failure of this code is what the replica had been ejected for. A refusal is none: that is
    /// the answer of one that works.
    pub(crate) fn is_known_to_fail(&self, code: Code) -> bool {
        self.last_resort && Outcome::of(code) != Outcome::Good
    }

    /// The replica never saw the call.
    pub(crate) fn unseen(mut self) {
        self.end(Outcome::Unknown);
    }

    /// The first of the answer is there.
    pub(crate) fn answered(&mut self) {
        if !std::mem::replace(&mut self.answered, true) {
            let now = Instant::now();
            self.endpoint.load.gone();
            self.endpoint.load.answered(now - self.start, now);
            self.endpoint.shared.answered(now - self.start);
        }
    }

    /// Looks for what the replica says of itself in headers or trailers.
    pub(crate) fn overhear(&self, headers: &HeaderMap) {
        if headers.contains_key(DRAINING) {
            self.endpoint.hint_draining();
        }
    }

    /// The call has its status.
    pub(crate) fn finish(&mut self, code: Code, pushback: Option<Pushback>) {
        if self.done {
            return;
        }
        // A stream that its caller bounded ends so although all is well.
        let bounded = self.answered && code == Code::DeadlineExceeded;
        let outcome = if bounded {
            Outcome::Unknown
        } else {
            Outcome::of(code)
        };
        match outcome {
            Outcome::Good => self.answered(),
            Outcome::Bad | Outcome::Busy => {
                let asked = match pushback {
                    Some(Pushback::After(wait)) => Some(wait),
                    Some(Pushback::Never) | None => None,
                };
                self.endpoint.load.failed(asked, Instant::now());
            }
            Outcome::Unknown => {}
        }
        self.end(outcome);
    }

    fn end(&mut self, outcome: Outcome) {
        if std::mem::replace(&mut self.done, true) {
            return;
        }
        if !std::mem::replace(&mut self.answered, true) {
            self.endpoint.load.gone();
        }
        self.stream = None;
        self.endpoint.finished(outcome, self.probe);
        // Whoever waits for a stream can have this one.
        self.endpoint.shared.change();
    }
}

impl Drop for Ticket {
    fn drop(&mut self) {
        if self.done {
            return;
        }
        let expired = self.deadline.is_some_and(Deadline::has_passed);
        if expired && !self.answered {
            self.finish(Code::DeadlineExceeded, None);
        } else {
            if !self.answered {
                let now = Instant::now();
                self.endpoint.load.unanswered(now - self.start, now);
            }
            self.end(Outcome::Unknown);
        }
    }
}
