//! One attempt at a call: what it does to the meters and to what is known of the replica.

use crate::metrics::AttemptMeter;
use crate::peer::{Mark, Ticket};
use crate::retry::Pushback;
use http::HeaderMap;
use tonic::Code;

/// One attempt at a call, at one replica.
#[derive(Debug)]
pub(crate) struct Attempt {
    meter: AttemptMeter,
    ticket: Ticket,
    /// The headers alone are an answer: messages come when they come.
    streaming: bool,
}

impl Attempt {
    pub(crate) fn new(meter: AttemptMeter, ticket: Ticket, streaming: bool) -> Self {
        Self {
            meter,
            ticket,
            streaming,
        }
    }

    pub(crate) fn ticket(&self) -> &Ticket {
        &self.ticket
    }

    /// The replica it went to.
    pub(crate) fn mark(&self) -> Mark {
        self.ticket.mark()
    }

    /// Whether a failure of this code is what its replica had been ejected for.
    pub(crate) fn is_known_to_fail(&self, code: Code) -> bool {
        self.ticket.is_known_to_fail(code)
    }

    /// Headers came.
    pub(crate) fn headers(&mut self, headers: &HeaderMap) {
        self.ticket.overhear(headers);
        if self.streaming {
            self.ticket.answered();
        }
    }

    /// Trailers came, ahead of being handed on.
    pub(crate) fn trailers(&mut self, trailers: &HeaderMap) {
        self.ticket.overhear(trailers);
    }

    /// Some of the answer came.
    pub(crate) fn data(&mut self) {
        self.ticket.answered();
    }

    /// So many bytes of messages have come back.
    pub(crate) fn received(&mut self, bytes: u64) {
        self.meter.received(bytes);
    }

    /// It ended so, in the peer's own headers or trailers.
    pub(crate) fn ended(&mut self, code: Code, trailers: &HeaderMap) {
        self.ticket.overhear(trailers);
        self.finish(code, Pushback::in_headers(trailers));
    }

    /// It ended so.
    pub(crate) fn finish(&mut self, code: Code, pushback: Option<Pushback>) {
        self.ticket.finish(code, pushback);
        self.meter.finish(code);
    }

    /// The replica never saw it.
    pub(crate) fn unseen(mut self) {
        self.ticket.unseen();
        self.meter.finish(Code::Unavailable);
    }
}
