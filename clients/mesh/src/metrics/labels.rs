//! The closed sets that labels take their values from.

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
    /// The peer minds how often it is pinged: ENHANCE_YOUR_CALM.
    pub(crate) const TOO_MANY_PINGS: Self = Self::GoAway(11);

    pub(super) fn name(self) -> &'static str {
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
    pub(super) const fn name(self) -> &'static str {
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
    pub(super) const ALL: [Self; 4] = [Self::Good, Self::Unwilling, Self::Ejected, Self::Probe];

    pub(super) const fn name(self) -> &'static str {
        match self {
            Self::Good => "good",
            Self::Unwilling => "unwilling",
            Self::Ejected => "ejected",
            Self::Probe => "probe",
        }
    }

    pub(super) const fn index(self) -> usize {
        match self {
            Self::Good => 0,
            Self::Unwilling => 1,
            Self::Ejected => 2,
            Self::Probe => 3,
        }
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
