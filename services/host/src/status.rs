//! Refusals: the one factory that turns a decision into a `tonic::Status` with google.rpc details.
//!
//! A service states its domain once (`const ERRORS: Domain = Domain::new("billing.cleave")`) and maps its
//! own error type to [`Refusal`]s in one place. Messages go to callers: they never hold the text of an
//! inner error.

use cleave_kernel::Violations;
use cleave_mesh::metadata::RETRY_PUSHBACK_MS;
use std::collections::HashMap;
use std::time::Duration;
use tonic::metadata::MetadataValue;
use tonic::{Code, Status};
use tonic_types::{ErrorDetails, FieldViolation, StatusExt};

/// Says where a reason belongs: the `domain` of every `ErrorInfo` of one service.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Domain(&'static str);

impl Domain {
    /// The reasons of the service `name`, such as `billing.cleave`.
    #[must_use]
    pub const fn new(name: &'static str) -> Self {
        Self(name)
    }

    /// The name of the domain.
    #[must_use]
    pub const fn name(self) -> &'static str {
        self.0
    }

    /// A refusal with any code.
    pub fn refuse(self, code: Code, reason: &str, message: impl Into<String>) -> Refusal {
        Refusal::new(code, self, reason, message)
    }

    /// INVALID_ARGUMENT: these fields cannot be accepted, whatever the state of the system.
    pub fn invalid(self, reason: &str, violations: impl Into<Violations>) -> Refusal {
        let violations = violations.into();
        self.refuse(Code::InvalidArgument, reason, violations.to_string())
            .fields(&violations)
    }

    /// NOT_FOUND: there is no `name` among the resources of this `kind`.
    pub fn not_found(self, reason: &str, kind: &str, name: impl Into<String>) -> Refusal {
        let name = name.into();
        self.refuse(
            Code::NotFound,
            reason,
            format!("{kind} {name} does not exist"),
        )
        .resource(kind, name)
    }

    /// ALREADY_EXISTS: there is such a resource, and it differs from what was asked for.
    pub fn already_exists(self, reason: &str, kind: &str, name: impl Into<String>) -> Refusal {
        let name = name.into();
        self.refuse(
            Code::AlreadyExists,
            reason,
            format!("{kind} {name} exists already"),
        )
        .resource(kind, name)
    }

    /// FAILED_PRECONDITION: the request is well formed, the state of `subject` forbids it.
    pub fn precondition(
        self,
        reason: &str,
        subject: impl Into<String>,
        message: impl Into<String>,
    ) -> Refusal {
        let message = message.into();
        self.refuse(Code::FailedPrecondition, reason, message.clone())
            .unmet(reason, subject, message)
    }

    /// ABORTED: somebody else changed the resource meanwhile; read it again and decide anew.
    pub fn conflict(self, reason: &str, message: impl Into<String>) -> Refusal {
        self.refuse(Code::Aborted, reason, message)
    }

    /// OUT_OF_RANGE: the position asked for is not in the feed any more, or not yet.
    pub fn out_of_range(self, reason: &str, message: impl Into<String>) -> Refusal {
        self.refuse(Code::OutOfRange, reason, message)
    }

    /// RESOURCE_EXHAUSTED: too much work; come back after `delay`.
    pub fn exhausted(self, reason: &str, message: impl Into<String>, delay: Duration) -> Refusal {
        self.refuse(Code::ResourceExhausted, reason, message)
            .retry_after(delay)
    }

    /// UNAVAILABLE: something this service needs is away for now.
    pub fn unavailable(self, reason: &str, message: impl Into<String>) -> Refusal {
        self.refuse(Code::Unavailable, reason, message)
    }

    /// PERMISSION_DENIED: this caller may not do this.
    pub fn denied(self, reason: &str, message: impl Into<String>) -> Refusal {
        self.refuse(Code::PermissionDenied, reason, message)
    }

    /// INTERNAL: a defect of ours. The caller learns nothing of it; the log learns `source`.
    pub fn internal(self, reason: &str, source: &(dyn std::error::Error + 'static)) -> Refusal {
        tracing::error!(error.reason = reason, error.detail = %Chain(source), "a call failed inside");
        self.refuse(
            Code::Internal,
            reason,
            "an internal error; the service has logged it",
        )
    }
}

/// RESOURCE_EXHAUSTED for what would be as large the next time: clients that come back after overload do not for this.
pub(crate) fn too_large(message: impl Into<String>) -> Status {
    let mut status = Status::resource_exhausted(message);
    let never = MetadataValue::from_static("-1");
    status.metadata_mut().insert(RETRY_PUSHBACK_MS, never);
    status
}

/// A refusal in the making: code, reason and details.
#[derive(Debug, Clone)]
#[must_use]
pub struct Refusal {
    code: Code,
    message: String,
    domain: Domain,
    reason: String,
    metadata: HashMap<String, String>,
    details: ErrorDetails,
    retry_after: Option<Duration>,
}

impl Refusal {
    /// A refusal with nothing but its `ErrorInfo`.
    pub fn new(code: Code, domain: Domain, reason: &str, message: impl Into<String>) -> Self {
        Self {
            code,
            message: message.into(),
            domain,
            reason: reason.to_owned(),
            metadata: HashMap::new(),
            details: ErrorDetails::new(),
            retry_after: None,
        }
    }

    /// Adds one entry to the metadata of the `ErrorInfo`.
    pub fn meta(mut self, key: &str, value: impl ToString) -> Self {
        self.metadata.insert(key.to_owned(), value.to_string());
        self
    }

    /// Replaces the sentence for people.
    pub fn message(mut self, message: impl Into<String>) -> Self {
        self.message = message.into();
        self
    }

    /// Adds a `BadRequest` that names each field.
    pub fn fields(mut self, violations: &Violations) -> Self {
        let fields: Vec<FieldViolation> = violations
            .iter()
            .map(|violation| {
                let mut field = FieldViolation::new(&violation.field, &violation.description);
                field.reason = violation.reason.clone().into_owned();
                field
            })
            .collect();
        self.details.set_bad_request(fields);
        self
    }

    /// Adds a `PreconditionFailure`: what about `subject` is not as it must be.
    pub fn unmet(
        mut self,
        kind: &str,
        subject: impl Into<String>,
        description: impl Into<String>,
    ) -> Self {
        self.details
            .add_precondition_failure_violation(kind, subject, description);
        self
    }

    /// Adds a `ResourceInfo`.
    pub fn resource(mut self, kind: &str, name: impl Into<String>) -> Self {
        self.details.set_resource_info(kind, name, "", "");
        self
    }

    /// Adds a `RetryInfo` and the pushback that retrying clients obey.
    pub fn retry_after(mut self, delay: Duration) -> Self {
        self.details.set_retry_info(Some(delay));
        self.retry_after = Some(delay);
        self
    }

    /// The status that goes to the caller.
    #[must_use]
    pub fn into_status(mut self) -> Status {
        self.details
            .set_error_info(self.reason, self.domain.name(), self.metadata);
        let mut status = Status::with_error_details(self.code, self.message, self.details);
        if let Some(delay) = self.retry_after {
            let millis = u64::try_from(delay.as_millis()).unwrap_or(u64::MAX);
            status
                .metadata_mut()
                .insert(RETRY_PUSHBACK_MS, millis.into());
        }
        status
    }
}

impl From<Refusal> for Status {
    fn from(refusal: Refusal) -> Self {
        refusal.into_status()
    }
}

/// An error and what caused it, in one line for the log.
struct Chain<'a>(&'a (dyn std::error::Error + 'static));

impl std::fmt::Display for Chain<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}", self.0)?;
        let mut next = self.0.source();
        while let Some(cause) = next {
            write!(f, ": {cause}")?;
            next = cause.source();
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use cleave_kernel::Violation;

    const ERRORS: Domain = Domain::new("test.cleave");

    #[test]
    fn a_bad_field_reaches_the_caller_with_its_path_and_reason() {
        let violation = Violation::required("hour").under("key").at(2).under("rows");

        let status = ERRORS.invalid("INVALID_FIELD", violation).into_status();

        assert_eq!(status.code(), Code::InvalidArgument);
        let bad = status.get_details_bad_request().expect("bad request");
        assert_eq!(bad.field_violations[0].field, "rows[2].key.hour");
        assert_eq!(bad.field_violations[0].reason, "REQUIRED");
        let info = status.get_details_error_info().expect("error info");
        assert_eq!(
            (info.reason.as_str(), info.domain.as_str()),
            ("INVALID_FIELD", "test.cleave")
        );
    }

    #[test]
    fn an_overloaded_service_says_when_to_come_back() {
        let status = ERRORS
            .exhausted("BUSY", "too much", Duration::from_millis(250))
            .into_status();

        let info = status.get_details_retry_info().expect("retry info");
        assert_eq!(info.retry_delay, Some(Duration::from_millis(250)));
        let pushback = status
            .metadata()
            .get("grpc-retry-pushback-ms")
            .expect("pushback");
        assert_eq!(pushback, "250");
    }

    #[test]
    fn an_inner_error_is_never_told_to_the_caller() {
        let inner = std::io::Error::other("password=hunter2");

        let status = ERRORS.internal("INTERNAL", &inner).into_status();

        assert!(!status.message().contains("hunter2"));
        assert!(!String::from_utf8_lossy(status.details()).contains("hunter2"));
    }
}
