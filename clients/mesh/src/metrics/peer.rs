//! The connections to one peer and the choice among its replicas.

use metrics::{Counter, Gauge, Label, counter, gauge};
use std::sync::{Arc, OnceLock};

/// What ended a connection, in the words of gRPC's design (A94).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Reason {
    /// The peer went away, with this code of HTTP/2.
    GoAway(u32),
    /// It is not needed any more, or another one took its place.
    Shutdown,
    /// The peer reset it.
    Reset,
    /// The peer was silent for too long.
    TimedOut,
    /// It was aborted.
    Aborted,
    /// The socket failed in another way.
    Socket,
    /// Something else, such as an end without a word.
    Unknown,
}

/// The codes of HTTP/2, by their number; others are as good as unknown.
const GOAWAYS: [&str; 14] = [
    "GOAWAY NO_ERROR",
    "GOAWAY PROTOCOL_ERROR",
    "GOAWAY INTERNAL_ERROR",
    "GOAWAY FLOW_CONTROL_ERROR",
    "GOAWAY SETTINGS_TIMEOUT",
    "GOAWAY STREAM_CLOSED",
    "GOAWAY FRAME_SIZE_ERROR",
    "GOAWAY REFUSED_STREAM",
    "GOAWAY CANCEL",
    "GOAWAY COMPRESSION_ERROR",
    "GOAWAY CONNECT_ERROR",
    "GOAWAY ENHANCE_YOUR_CALM",
    "GOAWAY INADEQUATE_SECURITY",
    "GOAWAY HTTP_1_1_REQUIRED",
];

impl Reason {
    fn name(self) -> &'static str {
        match self {
            Self::GoAway(code) => {
                let known = usize::try_from(code)
                    .ok()
                    .and_then(|code| GOAWAYS.get(code));
                known.copied().unwrap_or("unknown")
            }
            Self::Shutdown => "subchannel shutdown",
            Self::Reset => "connection reset",
            Self::TimedOut => "connection timed out",
            Self::Aborted => "connection aborted",
            Self::Socket => "socket error",
            Self::Unknown => "unknown",
        }
    }
}

/// What told that something is wrong with a replica.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Ejection {
    /// A run of failures.
    Streak,
    /// A poor rate of success.
    Rate,
}

impl Ejection {
    const fn name(self) -> &'static str {
        match self {
            Self::Streak => "consecutive_failures",
            Self::Rate => "success_rate",
        }
    }
}

/// What was known of a replica when it was chosen.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Pick {
    /// Nothing spoke against it.
    Good,
    /// It does not serve, or is on its way out, and there was none better.
    Unwilling,
    /// Its failures had added up, and there was none better.
    Ejected,
    /// The call decides whether it is trusted again.
    Probe,
}

impl Pick {
    /// Every kind, in order.
    const ALL: [Self; 4] = [Self::Good, Self::Unwilling, Self::Ejected, Self::Probe];

    const fn name(self) -> &'static str {
        match self {
            Self::Good => "good",
            Self::Unwilling => "unwilling",
            Self::Ejected => "ejected",
            Self::Probe => "probe",
        }
    }

    const fn index(self) -> usize {
        match self {
            Self::Good => 0,
            Self::Unwilling => 1,
            Self::Ejected => 2,
            Self::Probe => 3,
        }
    }
}

/// Shows what is left of the retry tokens of a peer.
pub(crate) fn retry_tokens(target: &Arc<str>) -> Gauge {
    let label = Label::new("grpc.target", Arc::clone(target));
    gauge!("cleave.client.retry_tokens", vec![label])
}

/// What is recorded of the replicas of one peer. Made once, so that to record is to add.
#[derive(Debug)]
pub(crate) struct PeerMeter {
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
    pub(crate) fn new(target: Arc<str>, secure: bool) -> Self {
        let label = || vec![Label::new("grpc.target", Arc::clone(&target))];
        let security = if secure {
            "privacy_and_integrity"
        } else {
            "none"
        };
        let mut open = label();
        open.push(Label::from_static_parts("grpc.security_level", security));
        Self {
            succeeded: counter!("grpc.subchannel.connection_attempts_succeeded", label()),
            failed: counter!("grpc.subchannel.connection_attempts_failed", label()),
            open: gauge!("grpc.subchannel.open_connections", open),
            endpoints: gauge!("cleave.client.endpoints", label()),
            ejected: gauge!("cleave.client.ejected_endpoints", label()),
            readmitted: counter!("cleave.client.readmissions", label()),
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

    /// No connection could be made.
    pub(crate) fn dial_failed(&self) {
        self.failed.increment(1);
    }

    /// A connection takes no further calls.
    pub(crate) fn disconnected(&self, reason: Reason) {
        self.open.decrement(1);
        let labels = self.label_with("grpc.disconnect_error", reason.name());
        counter!("grpc.subchannel.disconnections", labels).increment(1);
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
        counter!("grpc.lb.outlier_detection.ejections_enforced", labels).increment(1);
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
        let make = || counter!("cleave.client.picks", self.label_with("state", pick.name()));
        self.picks[pick.index()].get_or_init(make).increment(1);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whatever_a_peer_says_the_reasons_are_few() {
        assert_eq!(Reason::GoAway(11).name(), "GOAWAY ENHANCE_YOUR_CALM");
        assert_eq!(Reason::GoAway(14).name(), "unknown");
        assert_eq!(Reason::GoAway(u32::MAX).name(), "unknown");
        for pick in Pick::ALL {
            assert_eq!(Pick::ALL[pick.index()], pick);
        }
    }
}
