//! What a caller learns from a failed call.

use crate::cause::Cause;
use crate::metadata::RETRY_PUSHBACK_MS;
use std::collections::HashMap;
use std::error::Error;
use std::fmt;
use std::ops::Deref;
use std::time::Duration;
use tonic::{Code, Status};
use tonic_types::StatusExt;

/// One field that the peer did not accept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FieldViolation {
    /// Path of the field from the root of the request.
    pub field: String,
    /// Machine-readable reason, empty when the peer gave none.
    pub reason: String,
    /// What is wrong, for a person.
    pub description: String,
}

/// A failed call: code, reason and details, decoded. Its fields are those of [`Failed`].
#[derive(Debug, Clone)]
pub struct CallError(Box<Failed>);

/// What is known of a failed call.
#[derive(Debug, Clone)]
pub struct Failed {
    /// The status code.
    pub code: Code,
    /// The peer's sentence for people.
    pub message: String,
    /// The machine-readable reason of the peer's `ErrorInfo`.
    pub reason: Option<String>,
    /// Where that reason belongs.
    pub domain: Option<String>,
    /// The `ErrorInfo`'s metadata.
    pub metadata: HashMap<String, String>,
    /// The fields that were not accepted.
    pub violations: Vec<FieldViolation>,
    /// When the peer asks to be called again.
    pub retry_after: Option<Duration>,
    /// What made it fail.
    pub cause: Cause,
}

impl CallError {
    /// Whether the peer gave this reason.
    #[must_use]
    pub fn is_reason(&self, reason: &str) -> bool {
        self.reason.as_deref() == Some(reason)
    }

    /// Whether the peer may simply be asked again later: nothing is wrong with the request.
    #[must_use]
    pub fn is_transient(&self) -> bool {
        match self.code {
            Code::Unavailable
            | Code::DeadlineExceeded
            | Code::ResourceExhausted
            | Code::Aborted
            | Code::Cancelled => true,
            Code::Ok
            | Code::Unknown
            | Code::InvalidArgument
            | Code::NotFound
            | Code::AlreadyExists
            | Code::PermissionDenied
            | Code::FailedPrecondition
            | Code::OutOfRange
            | Code::Unimplemented
            | Code::Internal
            | Code::DataLoss
            | Code::Unauthenticated => false,
        }
    }

    /// Whether no answer was had from the peer at all.
    #[must_use]
    pub fn is_unavailable(&self) -> bool {
        matches!(self.code, Code::Unavailable | Code::DeadlineExceeded)
    }
}

impl From<Status> for CallError {
    fn from(status: Status) -> Self {
        let details = status.get_error_details();
        let (reason, domain, metadata) = match details.error_info() {
            Some(info) => (
                Some(info.reason.clone()),
                Some(info.domain.clone()),
                info.metadata.clone(),
            ),
            None => (None, None, HashMap::new()),
        };
        let violations = details
            .bad_request()
            .map(|bad| bad.field_violations.as_slice())
            .unwrap_or_default()
            .iter()
            .map(|bad| FieldViolation {
                field: bad.field.clone(),
                reason: bad.reason.clone(),
                description: bad.description.clone(),
            })
            .collect();
        let retry_after = details
            .retry_info()
            .and_then(|info| info.retry_delay)
            .or_else(|| pushback(&status));
        Self(Box::new(Failed {
            code: status.code(),
            message: status.message().to_owned(),
            reason,
            domain,
            metadata,
            violations,
            retry_after,
            cause: Cause::of_failure(&status),
        }))
    }
}

impl Deref for CallError {
    type Target = Failed;

    fn deref(&self) -> &Failed {
        &self.0
    }
}

/// The delay that the status asks for in its metadata.
fn pushback(status: &Status) -> Option<Duration> {
    let text = status.metadata().get(RETRY_PUSHBACK_MS)?.to_str().ok()?;
    text.parse().ok().map(Duration::from_millis)
}

impl fmt::Display for CallError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}", self.code)?;
        if let Some(reason) = &self.reason {
            write!(f, " {reason}")?;
        }
        write!(f, ": {}", self.message)
    }
}

impl Error for CallError {}

#[cfg(test)]
mod tests {
    use super::*;
    use tonic_types::ErrorDetails;

    #[test]
    fn the_details_of_a_refusal_are_decoded() {
        let mut details = ErrorDetails::new();
        details.set_error_info(
            "CREDIT_EXHAUSTED",
            "billing.cleave",
            HashMap::from([("available".to_owned(), "7".to_owned())]),
        );
        details.add_bad_request_violation("amount", "too much");
        details.set_retry_info(Some(Duration::from_secs(2)));
        let status = Status::with_error_details(Code::FailedPrecondition, "no credit", details);

        let error = CallError::from(status);

        assert!(error.is_reason("CREDIT_EXHAUSTED"));
        assert_eq!(error.domain.as_deref(), Some("billing.cleave"));
        assert_eq!(error.metadata["available"], "7");
        assert_eq!(error.violations[0].field, "amount");
        assert_eq!(error.retry_after, Some(Duration::from_secs(2)));
        assert!(!error.is_transient());
    }

    #[test]
    fn rubbish_in_the_details_leaves_code_and_message() {
        let status = Status::with_details(Code::Internal, "broken", vec![0xff, 0x07].into());

        let error = CallError::from(status);

        assert_eq!(error.cause, Cause::Refused);
        assert_eq!(error.code, Code::Internal);
        assert_eq!(error.reason, None);
        assert_eq!(error.to_string(), "Internal: broken");
    }

    #[test]
    fn the_cause_of_a_call_ended_here_is_kept() {
        let status = Cause::Unreachable.status(Code::Unavailable, "nobody there");

        let error = CallError::from(status);

        assert_eq!(error.cause, Cause::Unreachable);
        assert!(error.is_unavailable());
    }
}
