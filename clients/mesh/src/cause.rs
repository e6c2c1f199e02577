//! Why a call failed: one cause out of a closed set.

use std::error::Error;
use tonic::{Code, Status};

/// Why a call failed. The set is closed: every failed call has exactly one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, thiserror::Error)]
pub enum Cause {
    /// The peer answered so.
    #[error("the peer answered so")]
    Refused,
    /// Nobody knows where a replica of the peer is.
    #[error("the peer has no replica")]
    NoEndpoint,
    /// No connection could be made.
    #[error("no connection to the peer could be made")]
    Unreachable,
    /// No connection could be made: what answers is not the peer, or cannot prove it.
    #[error("what answers did not prove to be the peer")]
    PeerUntrusted,
    /// No connection could be made: the peer does not believe the caller's certificate.
    #[error("the peer does not believe the caller's certificate")]
    IdentityRefused,
    /// No connection could be made: one end speaks TLS, the other plaintext.
    #[error("one end speaks TLS, the other plaintext")]
    TlsMismatch,
    /// The failures of every replica had added up; the call was made all the same, and failed.
    #[error("every replica of the peer was ejected")]
    Ejected,
    /// The deadline passed before anything was sent.
    #[error("the deadline passed before the call was sent")]
    DeadlineBeforeSend,
    /// The deadline passed while the peer had the call.
    #[error("the deadline passed while waiting for the peer")]
    DeadlineOnWire,
    /// The connection broke while the call was out: it may or may not have been carried out.
    #[error("the connection to the peer broke")]
    ConnectionLost,
    /// The peer reset the stream.
    #[error("the peer reset the stream")]
    Reset,
    /// What answered does not speak gRPC.
    #[error("what answered does not speak gRPC")]
    NotGrpc,
    /// A message was larger than is allowed.
    #[error("a message was too large")]
    MessageTooLarge,
    /// It could have been tried again, but too many of the calls to the peer fail.
    #[error("too many calls to the peer fail for another attempt")]
    RetryBudgetEmpty,
    /// Every replica serves a contract in which the method is another one.
    #[error("the contracts of caller and peer do not agree on the method")]
    ContractSkew,
    /// The call came back to a workload that it had passed through.
    #[error("the call runs in a circle")]
    CallLoop,
}

impl Cause {
    /// Every cause.
    pub const ALL: [Self; 16] = [
        Self::Refused,
        Self::NoEndpoint,
        Self::Unreachable,
        Self::PeerUntrusted,
        Self::IdentityRefused,
        Self::TlsMismatch,
        Self::Ejected,
        Self::DeadlineBeforeSend,
        Self::DeadlineOnWire,
        Self::ConnectionLost,
        Self::Reset,
        Self::NotGrpc,
        Self::MessageTooLarge,
        Self::RetryBudgetEmpty,
        Self::ContractSkew,
        Self::CallLoop,
    ];

    /// Its place among all.
    pub(crate) fn index(self) -> Option<usize> {
        Self::ALL.iter().position(|known| *known == self)
    }

    /// Its name in metrics, logs and states.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Refused => "refused",
            Self::NoEndpoint => "no_endpoint",
            Self::Unreachable => "unreachable",
            Self::PeerUntrusted => "peer_untrusted",
            Self::IdentityRefused => "identity_refused",
            Self::TlsMismatch => "tls_mismatch",
            Self::Ejected => "ejected",
            Self::DeadlineBeforeSend => "deadline_before_send",
            Self::DeadlineOnWire => "deadline_on_wire",
            Self::ConnectionLost => "connection_lost",
            Self::Reset => "reset",
            Self::NotGrpc => "not_grpc",
            Self::MessageTooLarge => "message_too_large",
            Self::RetryBudgetEmpty => "retry_budget_empty",
            Self::ContractSkew => "contract_skew",
            Self::CallLoop => "call_loop",
        }
    }

    /// The cause that the mesh attached to a status, when it made it or judged it.
    #[must_use]
    pub fn of(status: &Status) -> Option<Self> {
        let mut next = status.source();
        while let Some(error) = next {
            if let Some(cause) = error.downcast_ref::<Self>() {
                return Some(*cause);
            }
            next = error.source();
        }
        None
    }

    /// The cause of a failed call: what no part of the mesh had a hand in is the peer's answer.
    #[must_use]
    pub fn of_failure(status: &Status) -> Self {
        Self::of(status).unwrap_or(Self::Refused)
    }

    /// A status of the mesh's own making.
    pub(crate) fn status(self, code: Code, message: impl Into<String>) -> Status {
        self.of_this(Status::new(code, message))
    }

    /// The status with this for its cause.
    pub(crate) fn of_this(self, mut status: Status) -> Status {
        status.set_source(std::sync::Arc::new(self));
        status
    }
}
