//! The one place where what the app refuses becomes a status.

use std::time::Duration;

use cleave_contracts::operations::v1::ErrorReason;
use cleave_host::status::{Domain, Refusal as Answer};
use cleave_kernel::{Timestamp, Violation, Violations};
use cleave_storage::{StorageError, TokenError};
use operations_domain::named::Named;
use operations_domain::{Kind, Refusal};
use tonic::{Code, Status};

use crate::app::Error;

/// Where the reasons of this service belong.
pub(crate) const ERRORS: Domain = Domain::new("operations.cleave");
/// When to come back to a service that has too much to do, or no database.
const COME_BACK: Duration = Duration::from_millis(500);

impl From<Error> for Status {
    fn from(error: Error) -> Self {
        answer(error).into_status()
    }
}

/// The name of a reason as it stands in an `ErrorInfo`.
fn name(reason: ErrorReason) -> &'static str {
    let full = reason.as_str_name();
    full.strip_prefix("ERROR_REASON_").unwrap_or(full)
}

fn answer(error: Error) -> Answer {
    let message = error.to_string();
    match error {
        Error::Refused(refusal) => refused(refusal, message),
        Error::Mismatch { request } => {
            let reason = name(ErrorReason::RequestMismatch);
            ERRORS
                .precondition(reason, request.to_string(), message)
                .meta("request_id", request)
        }
        Error::PageToken => {
            let reason = name(ErrorReason::PageTokenInvalid);
            ERRORS.invalid(reason, Violation::new("page_token", "INVALID", message))
        }
        Error::ResumeToken(error) => resume_token(error, message),
        Error::Overloaded => ERRORS.exhausted(name(ErrorReason::Overloaded), message, COME_BACK),
        Error::ShuttingDown => ERRORS.unavailable(name(ErrorReason::ShuttingDown), message),
        Error::Storage(error) => storage(&error),
        Error::Fault(_) => ERRORS.internal(name(ErrorReason::Internal), &error),
    }
}

fn resume_token(error: TokenError, message: String) -> Answer {
    match error {
        TokenError::Malformed | TokenError::OtherRequest => {
            let reason = name(ErrorReason::ResumeTokenInvalid);
            ERRORS.invalid(reason, Violation::new("resume_token", "INVALID", message))
        }
        TokenError::Expired(_) => {
            ERRORS.out_of_range(name(ErrorReason::ResumeTokenExpired), message)
        }
    }
}

fn storage(error: &StorageError) -> Answer {
    match error {
        StorageError::Unavailable { .. } | StorageError::TimedOut { .. } => {
            // The probe of the database tells once what each call would.
            tracing::debug!(error.kind = error.kind(), error.detail = ?error, "the database failed");
            let reason = name(ErrorReason::DatabaseUnavailable);
            ERRORS
                .unavailable(reason, "the database cannot be reached: try again")
                .retry_after(COME_BACK)
        }
        StorageError::Contention { .. } => ERRORS.conflict(
            name(ErrorReason::Contention),
            "other changes kept getting in the way: send the same call again",
        ),
        StorageError::Unique { .. }
        | StorageError::Reference { .. }
        | StorageError::Unsuitable(_)
        | StorageError::Corrupt(_)
        | StorageError::Internal { .. } => ERRORS.internal(name(ErrorReason::Internal), error),
    }
}

#[expect(
    clippy::too_many_lines,
    reason = "one arm for each refusal, and nothing else"
)]
fn refused(refusal: Refusal, message: String) -> Answer {
    match refusal {
        Refusal::Invalid { faults } => {
            let mut violations = Violations::new();
            for fault in faults {
                violations.push(fault.into());
            }
            ERRORS.invalid(name(ErrorReason::InvalidField), violations)
        }
        Refusal::NotFound { kind, id } => resource(
            Code::NotFound,
            ErrorReason::ResourceNotFound,
            message,
            kind,
            id,
        ),
        Refusal::Exists {
            kind,
            holder,
            field,
        } => {
            let holder = holder.unwrap_or_default();
            let reason = ErrorReason::ResourceExists;
            resource(Code::AlreadyExists, reason, message, kind, holder).meta("field", field)
        }
        Refusal::Stale { kind, id } => {
            resource(Code::Aborted, ErrorReason::EtagMismatch, message, kind, id)
        }
        Refusal::State {
            kind,
            id,
            state,
            action,
        } => standing(ErrorReason::StateNotAllowed, message, kind, id)
            .meta("state", state)
            .meta("action", action),
        Refusal::ParentState {
            kind,
            id,
            state,
            action,
        } => standing(ErrorReason::ParentNotReady, message, kind, id)
            .meta("state", state)
            .meta("action", action),
        Refusal::BillingAccountPending { kind, id } => {
            standing(ErrorReason::BillingAccountPending, message, kind, id)
        }
        Refusal::AccountStanding {
            advertiser_id,
            standing,
        } => unmet(ErrorReason::AccountStanding, message, &advertiser_id)
            .meta("advertiser_id", &advertiser_id)
            .meta("standing", standing),
        Refusal::StandingStale {
            advertiser_id,
            age_seconds,
        } => unmet(ErrorReason::StandingStale, message, &advertiser_id)
            .meta("advertiser_id", &advertiser_id)
            .meta("age_seconds", age_seconds),
        Refusal::SelfApproval { approval_id, actor } => {
            unmet(ErrorReason::SelfApproval, message, &approval_id)
                .meta("approval_id", &approval_id)
                .meta("actor", actor)
        }
        Refusal::CampaignIncomplete { campaign_id } => {
            unmet(ErrorReason::CampaignIncomplete, message, &campaign_id)
                .meta("campaign_id", &campaign_id)
        }
        Refusal::BudgetExceeded {
            campaign_id,
            budget,
            caps,
        } => unmet(ErrorReason::BudgetExceeded, message, &campaign_id)
            .meta("campaign_id", &campaign_id)
            .meta("budget_micros", budget.get())
            .meta("caps_micros", caps.get()),
        Refusal::TermsMissing { line_item_id } => {
            unmet(ErrorReason::TermsMissing, message, &line_item_id)
                .meta("line_item_id", &line_item_id)
        }
        Refusal::TermsFrozen {
            line_item_id,
            field,
        } => unmet(ErrorReason::TermsFrozen, message, &line_item_id)
            .meta("line_item_id", &line_item_id)
            .meta("field", field),
        Refusal::VersionOrder {
            latest_version,
            latest_effective,
        } => unmet(ErrorReason::VersionOrder, message, "effective_time")
            .meta("latest_version", latest_version)
            .meta("latest_effective_time", latest_effective),
        Refusal::ShareInUse { ad_unit_id, hour } => {
            unmet(ErrorReason::ShareInUse, message, &ad_unit_id)
                .meta("ad_unit_id", &ad_unit_id)
                .meta("hour", hour)
        }
        Refusal::RevShareUnresolved { ad_unit_id, at } => ERRORS
            .refuse(
                Code::NotFound,
                name(ErrorReason::RevShareUnresolved),
                message,
            )
            .meta("ad_unit_id", ad_unit_id)
            .meta("time", at),
        Refusal::DeliveryIncomplete {
            source_name,
            complete_through,
        } => unmet(ErrorReason::DeliveryIncomplete, message, &source_name)
            .meta("source", &source_name)
            .meta(
                "complete_through",
                complete_through
                    .map(|at: Timestamp| at.to_string())
                    .unwrap_or_default(),
            ),
    }
}

fn resource(code: Code, reason: ErrorReason, message: String, kind: Kind, id: String) -> Answer {
    ERRORS
        .refuse(code, name(reason), message)
        .resource(kind.name(), &id)
        .meta("resource_type", kind.name())
        .meta("resource_id", id)
}

fn standing(reason: ErrorReason, message: String, kind: Kind, id: String) -> Answer {
    unmet(reason, message, &id)
        .meta("resource_type", kind.name())
        .meta("resource_id", id)
}

fn unmet(reason: ErrorReason, message: String, subject: &str) -> Answer {
    ERRORS.precondition(name(reason), subject, message)
}
