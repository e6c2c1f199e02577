//! What may go wrong below the rules. A refusal is no error: it is an outcome.

use cleave_storage::{GatherError, Retryable, StorageError, TokenError};
use sea_orm::DbErr;

/// Why a question or a command got no answer.
#[derive(Debug, Clone, thiserror::Error)]
pub enum StoreError {
    /// The database failed.
    #[error(transparent)]
    Storage(#[from] StorageError),
    /// The request id was used for something else.
    #[error("the request id was used before, for something else")]
    Mismatch,
    /// Too many wait already; nothing was done.
    #[error("too many requests are waiting")]
    Overloaded,
    /// The store is closing; nothing was done.
    #[error("the store is closing")]
    Closed,
    /// The answer was lost, and with it the knowledge of what was done.
    #[error("the outcome is unknown")]
    Lost,
    /// A token of a page or a stream does not fit.
    #[error(transparent)]
    Token(#[from] TokenError),
    /// The rules contradict themselves; nothing was done.
    #[error("the ledger is at odds with its rules: {0}")]
    Broken(String),
}

impl From<DbErr> for StoreError {
    fn from(error: DbErr) -> Self {
        Self::Storage(error.into())
    }
}

impl From<GatherError> for StoreError {
    fn from(error: GatherError) -> Self {
        match error {
            GatherError::Overloaded => Self::Overloaded,
            GatherError::Closed => Self::Closed,
            GatherError::Lost => Self::Lost,
        }
    }
}

impl Retryable for StoreError {
    fn storage_error(&self) -> Option<&StorageError> {
        match self {
            Self::Storage(error) => Some(error),
            Self::Mismatch
            | Self::Overloaded
            | Self::Closed
            | Self::Lost
            | Self::Token(_)
            | Self::Broken(_) => None,
        }
    }
}

impl StoreError {
    /// A stored value that no version of this program writes.
    pub(crate) fn corrupt(what: impl Into<String>) -> Self {
        Self::Storage(StorageError::Corrupt(what.into()))
    }

    /// Whether one command of a batch may have spoiled it for the others.
    pub(crate) const fn may_be_one_commands(&self) -> bool {
        match self {
            Self::Broken(_) => true,
            Self::Storage(error) => matches!(
                error,
                StorageError::Corrupt(_)
                    | StorageError::Internal { .. }
                    | StorageError::Unique { .. }
                    | StorageError::Reference { .. }
            ),
            Self::Mismatch | Self::Overloaded | Self::Closed | Self::Lost | Self::Token(_) => false,
        }
    }
}
