//! Why something asked for was not done: a closed set, which `rpc::status` maps to the wire.

use billing_domain::Refusal;
use billing_store::StoreError;
use cleave_kernel::{RequestId, Timestamp, Violation, Violations};
use cleave_storage::token::Expiry;
use cleave_storage::{StorageError, TokenError};

/// Why something asked for was not done.
#[derive(Debug, Clone, thiserror::Error)]
pub enum Error {
    /// Fields that can never be accepted.
    #[error("the request cannot be accepted: {0}")]
    Invalid(Violations),
    /// The rules say no.
    #[error(transparent)]
    Refused(#[from] Refusal),
    /// The request id belongs to another request.
    #[error("request {request} was used before, with other contents")]
    Mismatch {
        /// The id.
        request: RequestId,
    },
    /// The place in the feed is gone.
    #[error("the resume token is no longer good: {0}")]
    Expired(Expiry),
    /// Too many calls wait.
    #[error("too many calls are waiting")]
    Overloaded,
    /// Others kept getting in the way.
    #[error("other transactions kept getting in the way")]
    Contention,
    /// The database cannot be reached, or did not say what became of the write.
    #[error("the database cannot be reached")]
    Unavailable,
    /// The database was restored, and the delivery since its backup is not rated again yet.
    #[error(
        "Billing was restored at {restored_at} and is still rating the delivery since its backup"
    )]
    CatchingUp {
        /// When it was restored.
        restored_at: Timestamp,
    },
    /// The service is going down.
    #[error("the service is going down")]
    ShuttingDown,
    /// A fault of ours, with what is known of it.
    #[error("a fault of the service: {0}")]
    Fault(String),
    /// A fault of the database or of what is in it.
    #[error("a fault of the store")]
    Store(#[source] StoreError),
}

impl From<Violations> for Error {
    fn from(violations: Violations) -> Self {
        Self::Invalid(violations)
    }
}

impl From<Violation> for Error {
    fn from(violation: Violation) -> Self {
        Self::Invalid(violation.into())
    }
}

impl From<StoreError> for Error {
    fn from(error: StoreError) -> Self {
        match error {
            StoreError::Storage(
                StorageError::Unavailable { .. } | StorageError::TimedOut { .. },
            )
            | StoreError::Lost => Self::Unavailable,
            StoreError::Storage(StorageError::Contention { .. }) => Self::Contention,
            StoreError::Overloaded => Self::Overloaded,
            StoreError::Closed => Self::ShuttingDown,
            StoreError::Token(TokenError::Expired(expiry)) => Self::Expired(expiry),
            StoreError::Storage(_)
            | StoreError::Mismatch
            | StoreError::Token(_)
            | StoreError::Broken(_) => Self::Store(error),
        }
    }
}
