//! Why something could not be answered: a closed set, which `rpc::status` turns into statuses.

use cleave_kernel::{RequestId, Violation, Violations};
use cleave_storage::{GatherError, Retryable, StorageError, TokenError};
use operations_domain::{Aggregate, Refusal};

/// Why something could not be answered.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The rules refuse it, for good.
    #[error(transparent)]
    Refused(#[from] Refusal),
    /// The request's id stands for something else.
    #[error("request {request} was sent before with another content")]
    Mismatch {
        /// The id.
        request: RequestId,
    },
    /// The page token is not one of this list.
    #[error("the page token was not given out for this request")]
    PageToken,
    /// The resume token is not one of this stream, or can be resumed no more.
    #[error(transparent)]
    ResumeToken(TokenError),
    /// More is waiting than can be done in time.
    #[error("more is waiting than can be done in time")]
    Overloaded,
    /// The service is going away.
    #[error("the service is going away")]
    ShuttingDown,
    /// The database.
    #[error(transparent)]
    Storage(#[from] StorageError),
    /// Something that cannot be, in words for the log.
    #[error("{0}")]
    Fault(String),
}

impl Error {
    /// Nothing has this id.
    pub(crate) fn not_found<A: Aggregate>(id: A::Id) -> Self {
        Self::Refused(Refusal::NotFound {
            kind: A::KIND,
            id: id.to_string(),
        })
    }
}

impl Retryable for Error {
    fn storage_error(&self) -> Option<&StorageError> {
        match self {
            Self::Storage(error) => Some(error),
            Self::Refused(_)
            | Self::Mismatch { .. }
            | Self::PageToken
            | Self::ResumeToken(_)
            | Self::Overloaded
            | Self::ShuttingDown
            | Self::Fault(_) => None,
        }
    }
}

impl From<Violation> for Error {
    fn from(violation: Violation) -> Self {
        Self::Refused(violation.into())
    }
}

impl From<Violations> for Error {
    fn from(violations: Violations) -> Self {
        Self::Refused(violations.into())
    }
}

impl From<GatherError> for Error {
    fn from(error: GatherError) -> Self {
        match error {
            GatherError::Overloaded => Self::Overloaded,
            GatherError::Closed => Self::ShuttingDown,
            GatherError::Lost => Self::Fault("a batch was lost".to_owned()),
        }
    }
}
