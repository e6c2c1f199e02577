//! The connections to one peer and the choice among its replicas.

use super::books::Books;
use super::labels::{Ejection, Pick, Reason};
use crate::contract::{ContractState, Level};
use metrics::{Counter, Gauge, Label};
use std::sync::{Arc, OnceLock};

/// Shows what is left of the retry tokens of a peer.
pub(crate) fn retry_tokens(books: Books, target: &Arc<str>) -> Gauge {
    let label = Label::new("grpc.target", Arc::clone(target));
    books.gauge("cleave.client.retry_tokens", vec![label])
}

/// What is recorded of the replicas of one peer. Made once, so that to record is to add.
#[derive(Debug)]
pub(crate) struct PeerMeter {
    books: Books,
    target: Arc<str>,
    succeeded: Counter,
    failed: Counter,
    open: Gauge,
    endpoints: Gauge,
    ejected: Gauge,
    readmitted: Counter,
    picks: [OnceLock<Counter>; Pick::ALL.len()],
}

impl PeerMeter {
    /// Towards this peer; `secure` when its connections are TLS.
    pub(crate) fn new(books: Books, target: Arc<str>, secure: bool) -> Self {
        let label = || vec![Label::new("grpc.target", Arc::clone(&target))];
        let security = if secure {
            "privacy_and_integrity"
        } else {
            "none"
        };
        let mut open = label();
        open.push(Label::from_static_parts("grpc.security_level", security));
        let name = "grpc.subchannel.connection_attempts_succeeded";
        Self {
            books,
            succeeded: books.counter(name, label()),
            failed: books.counter("grpc.subchannel.connection_attempts_failed", label()),
            open: books.gauge("grpc.subchannel.open_connections", open),
            endpoints: books.gauge("cleave.client.endpoints", label()),
            ejected: books.gauge("cleave.client.ejected_endpoints", label()),
            readmitted: books.counter("cleave.client.readmissions", label()),
            picks: std::array::from_fn(|_| OnceLock::new()),
            target,
        }
    }

    fn label_with(&self, name: &'static str, value: &'static str) -> Vec<Label> {
        vec![
            Label::new("grpc.target", Arc::clone(&self.target)),
            Label::from_static_parts(name, value),
        ]
    }

    /// A connection was made.
    pub(crate) fn connected(&self) {
        self.succeeded.increment(1);
        self.open.increment(1);
    }

    /// A connection leads to a replica with such a contract.
    pub(crate) fn met(&self, contract: &ContractState) {
        let level = contract.level.map_or("unknown", Level::name);
        let labels = self.label_with("level", level);
        self.books
            .counter("cleave.client.contract.checks", labels)
            .increment(1);
        for skew in &contract.skews {
            let mut labels = self.label_with("level", skew.level.name());
            labels.push(Label::from_static_parts("grpc.method", skew.method));
            self.books
                .counter("cleave.client.contract.skews", labels)
                .increment(1);
        }
    }

    /// No connection could be made.
    pub(crate) fn dial_failed(&self) {
        self.failed.increment(1);
    }

    /// A connection takes no further calls.
    pub(crate) fn disconnected(&self, reason: Reason) {
        self.open.decrement(1);
        let labels = self.label_with("grpc.disconnect_error", reason.name());
        self.books
            .counter("grpc.subchannel.disconnections", labels)
            .increment(1);
    }

    /// So many replicas are known now.
    pub(crate) fn endpoints(&self, count: usize) {
        self.endpoints.set(u32::try_from(count).unwrap_or(u32::MAX));
    }

    /// A replica is left alone from now on.
    pub(crate) fn ejected(&self, why: Ejection) {
        self.ejected.increment(1);
        let name = "grpc.lb.outlier_detection.detection_method";
        let labels = self.label_with(name, why.name());
        self.books
            .counter("grpc.lb.outlier_detection.ejections_enforced", labels)
            .increment(1);
    }

    /// A replica is trusted again.
    pub(crate) fn readmitted(&self) {
        self.readmitted.increment(1);
        self.ejected.decrement(1);
    }

    /// A replica that was left alone is no more.
    pub(crate) fn forgotten(&self) {
        self.ejected.decrement(1);
    }

    /// A replica was chosen.
    pub(crate) fn picked(&self, pick: Pick) {
        let make = || {
            let labels = self.label_with("state", pick.name());
            self.books.counter("cleave.client.picks", labels)
        };
        self.picks[pick.index()].get_or_init(make).increment(1);
    }
}
