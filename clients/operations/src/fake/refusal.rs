//! Refusals as the real service words them: a code, a reason, the keys that the contract names.

use std::collections::HashMap;

use tonic::{Code, Status};
use tonic_types::{ErrorDetails, FieldViolation, StatusExt};

const DOMAIN: &str = "operations.cleave";

/// A refusal with its reason and metadata.
pub(super) fn refuse(code: Code, reason: &str, metadata: &[(&str, &str)]) -> Status {
    let metadata: HashMap<String, String> = metadata
        .iter()
        .map(|(key, value)| ((*key).to_owned(), (*value).to_owned()))
        .collect();
    let details = ErrorDetails::with_error_info(reason, DOMAIN, metadata);
    Status::with_error_details(code, format!("refused: {reason}"), details)
}

/// For the RPCs that Operations' tasks do not call.
pub(super) fn not_faked() -> Status {
    Status::unimplemented("the fake answers only what Billing's tasks call")
}

/// The faults found in a request.
#[derive(Debug, Default)]
pub(super) struct Faults(Vec<FieldViolation>);

impl Faults {
    /// Notes that `field` must be something else, unless it `holds`.
    pub(super) fn require(&mut self, holds: bool, field: &str, must: &str) {
        if !holds {
            self.0
                .push(FieldViolation::new(field, format!("must be {must}")));
        }
    }

    /// Notes an id that is not of the kind its prefix names.
    pub(super) fn require_id(&mut self, text: &str, prefixes: &[&str], field: &str) {
        let is_id = text
            .parse::<type_safe_id::TypeSafeId<type_safe_id::DynamicType>>()
            .is_ok_and(|id| prefixes.contains(&id.type_prefix()));
        self.require(is_id, field, &format!("an id of {prefixes:?}"));
    }

    /// The refusal, if there is a fault.
    pub(super) fn refuse(self) -> Result<(), Status> {
        let Some(first) = self.0.first() else {
            return Ok(());
        };
        let metadata = HashMap::from([("field".to_owned(), first.field.clone())]);
        let mut details = ErrorDetails::with_error_info("INVALID_FIELD", DOMAIN, metadata);
        details.set_bad_request(self.0);
        Err(Status::with_error_details(
            Code::InvalidArgument,
            "the request is not valid",
            details,
        ))
    }
}
