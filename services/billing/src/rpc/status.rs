//! The one place where an error becomes a status.

use crate::app::Error;
use billing_domain::Refusal as Rule;
use billing_domain::account::{Mode, Party};
use billing_domain::delivery::RowId;
use billing_domain::reservation::{CloseCause, State};
use billing_store::StoreError;
use cleave_contracts::billing::v1::ErrorReason;
use cleave_host::status::{Domain, Refusal};
use cleave_kernel::{AccountId, DeliveryRowId, Violation};
use cleave_storage::TokenError;
use cleave_storage::token::Expiry;
use std::time::Duration;
use tonic::Status;

/// The domain of every reason.
const ERRORS: Domain = Domain::new("billing.cleave");
/// When to come back while delivery is being caught up with.
const CAUGHT_UP: Duration = Duration::from_secs(1);
/// When to come back after being turned away.
const SOON: Duration = Duration::from_millis(100);

impl From<Error> for Status {
    fn from(error: Error) -> Self {
        refusal(error).into_status()
    }
}

/// A reason as it is sent: without the prefix that protobuf wants.
fn word(reason: ErrorReason) -> &'static str {
    let name = reason.as_str_name();
    name.strip_prefix("ERROR_REASON_").unwrap_or(name)
}

fn refusal(error: Error) -> Refusal {
    let message = error.to_string();
    match error {
        Error::Invalid(violations) => {
            let first = violations
                .iter()
                .next()
                .map_or_else(String::new, |violation| violation.field.clone());
            ERRORS
                .invalid(word(ErrorReason::InvalidRequest), violations)
                .meta("field", first)
        }
        Error::Refused(rule) => by_rule(&rule, message),
        Error::Mismatch { request } => ERRORS
            .precondition(
                word(ErrorReason::RequestMismatch),
                request.to_string(),
                message,
            )
            .meta("request_id", request),
        Error::Expired(expiry) => ERRORS
            .out_of_range(word(ErrorReason::ResumeTokenExpired), message)
            .meta("cause", expiry_word(expiry)),
        Error::Overloaded => ERRORS.exhausted(word(ErrorReason::Overloaded), message, SOON),
        Error::Contention => ERRORS
            .conflict(word(ErrorReason::Contention), message)
            .retry_after(SOON),
        Error::Unavailable => ERRORS
            .unavailable(word(ErrorReason::StoreUnavailable), message)
            .retry_after(SOON),
        Error::CatchingUp { restored_at } => ERRORS
            .unavailable(word(ErrorReason::CatchingUp), message)
            .meta("restored_at_time", restored_at)
            .retry_after(CAUGHT_UP),
        Error::ShuttingDown => ERRORS
            .unavailable(word(ErrorReason::ShuttingDown), message)
            .retry_after(SOON),
        Error::Store(StoreError::Token(token)) => by_token(token),
        Error::Store(error) => ERRORS.internal(word(ErrorReason::Internal), &error),
        error @ Error::Fault(_) => ERRORS.internal(word(ErrorReason::Internal), &error),
    }
}

/// A token of a page that is not ours, or another list's.
fn by_token(token: TokenError) -> Refusal {
    let violation = Violation::new("page_token", "INVALID_TOKEN", token.to_string());
    ERRORS
        .invalid(word(ErrorReason::InvalidRequest), violation)
        .meta("field", "page_token")
}

fn by_rule(rule: &Rule, message: String) -> Refusal {
    let reason = word(reason(rule));
    let metadata = metadata(rule);
    let subject = metadata
        .first()
        .map_or_else(String::new, |(_, subject)| subject.clone());
    let refusal = match rule {
        Rule::AccountNotFound { .. } => ERRORS.not_found(reason, "account", subject),
        Rule::ReservationNotFound { .. } => ERRORS.not_found(reason, "reservation", subject),
        Rule::AccountAlreadyExists { .. } => ERRORS
            .already_exists(reason, "account", subject)
            .message(message),
        Rule::PaymentAlreadyRecorded { .. } => ERRORS
            .already_exists(reason, "payment", subject)
            .message(message),
        Rule::ParkedRowNotFound { .. } => ERRORS.not_found(reason, "parked row", subject),
        Rule::StaleEtag { .. } | Rule::ParkedRowChanged { .. } => ERRORS.conflict(reason, message),
        Rule::EndInThePast { .. } => {
            let mend = "give a time in the future";
            ERRORS.invalid(reason, Violation::new("end_time", "IN_THE_PAST", mend))
        }
        Rule::Broken { .. } => ERRORS.internal(reason, rule),
        Rule::InsufficientFunds { .. }
        | Rule::AccountBlocked { .. }
        | Rule::AccountClosed { .. }
        | Rule::AccountNotEmpty { .. }
        | Rule::DeliveryOpen { .. }
        | Rule::CurrencyMismatch { .. }
        | Rule::CreditLimitBelowUse { .. }
        | Rule::CreditNotAllowed { .. }
        | Rule::WrongParty { .. }
        | Rule::ReservationClosed { .. }
        | Rule::StandingNotOverridden { .. }
        | Rule::AmountOverflow { .. } => ERRORS.precondition(reason, subject, message),
    };
    metadata
        .into_iter()
        .fold(refusal, |refusal, (key, value)| refusal.meta(key, value))
}

const fn reason(rule: &Rule) -> ErrorReason {
    match rule {
        Rule::AccountNotFound { .. } => ErrorReason::AccountNotFound,
        Rule::ReservationNotFound { .. } => ErrorReason::ReservationNotFound,
        Rule::AccountAlreadyExists { .. } => ErrorReason::AccountAlreadyExists,
        Rule::PaymentAlreadyRecorded { .. } => ErrorReason::PaymentAlreadyRecorded,
        Rule::InsufficientFunds { .. } => ErrorReason::InsufficientFunds,
        Rule::AccountBlocked { .. } => ErrorReason::AccountBlocked,
        Rule::AccountClosed { .. } => ErrorReason::AccountClosed,
        Rule::AccountNotEmpty { .. } => ErrorReason::AccountNotEmpty,
        Rule::DeliveryOpen { .. } => ErrorReason::DeliveryOpen,
        Rule::ParkedRowNotFound { .. } => ErrorReason::ParkedRowNotFound,
        Rule::ParkedRowChanged { .. } => ErrorReason::ParkedRowChanged,
        Rule::CurrencyMismatch { .. } => ErrorReason::CurrencyMismatch,
        Rule::CreditLimitBelowUse { .. } => ErrorReason::CreditLimitBelowUse,
        Rule::CreditNotAllowed { .. } => ErrorReason::CreditNotAllowed,
        Rule::WrongParty { .. } => ErrorReason::WrongParty,
        Rule::ReservationClosed { .. } => ErrorReason::ReservationClosed,
        Rule::StandingNotOverridden { .. } => ErrorReason::StandingNotOverridden,
        Rule::StaleEtag { .. } => ErrorReason::StaleEtag,
        Rule::EndInThePast { .. } => ErrorReason::InvalidRequest,
        Rule::AmountOverflow { .. } => ErrorReason::AmountOverflow,
        Rule::Broken { .. } => ErrorReason::Internal,
    }
}

/// What the contract promises to tell with each reason; the first is what the refusal is about.
fn metadata(rule: &Rule) -> Vec<(&'static str, String)> {
    let account_id = |account: &AccountId| ("account_id", account.to_string());
    match rule {
        Rule::AccountNotFound { account } => vec![("account", account.clone())],
        Rule::ReservationNotFound { reservation } => {
            vec![("reservation_id", reservation.to_string())]
        }
        Rule::AccountAlreadyExists {
            account,
            currency,
            mode,
        } => vec![
            account_id(account),
            ("currency_code", currency.to_string()),
            ("mode", mode_word(*mode).to_owned()),
        ],
        Rule::PaymentAlreadyRecorded {
            external_ref,
            payment,
        } => vec![
            ("payment_id", payment.to_string()),
            ("external_ref", external_ref.clone()),
        ],
        Rule::AccountClosed { account }
        | Rule::StandingNotOverridden { account }
        | Rule::AmountOverflow { account } => vec![account_id(account)],
        Rule::AccountBlocked { account } => {
            vec![account_id(account), ("standing", "BLOCKED".to_owned())]
        }
        Rule::CreditNotAllowed { account, mode } => {
            vec![account_id(account), ("mode", mode_word(*mode).to_owned())]
        }
        Rule::WrongParty { account, party } => {
            vec![
                account_id(account),
                ("party", party_word(*party).to_owned()),
            ]
        }
        Rule::DeliveryOpen {
            account,
            until,
            parked,
        } => vec![
            account_id(account),
            ("open_until_time", until.to_string()),
            ("parked_row_count", parked.to_string()),
        ],
        Rule::ParkedRowNotFound { row } => vec![row_id(*row)],
        Rule::ParkedRowChanged { row, revision } => {
            vec![row_id(*row), ("revision", revision.to_string())]
        }
        Rule::EndInThePast { .. } => vec![("field", "end_time".to_owned())],
        Rule::StaleEtag { account, etag } => vec![account_id(account), ("etag", etag.clone())],
        Rule::ReservationClosed { reservation, state } => vec![
            ("reservation_id", reservation.to_string()),
            ("state", "CLOSED".to_owned()),
            ("close_cause", cause_word(*state).to_owned()),
        ],
        Rule::InsufficientFunds { .. }
        | Rule::AccountNotEmpty { .. }
        | Rule::CurrencyMismatch { .. }
        | Rule::CreditLimitBelowUse { .. } => amounts(rule),
        Rule::Broken { .. } => Vec::new(),
    }
}

fn row_id(row: RowId) -> (&'static str, String) {
    ("row_id", DeliveryRowId::from_uuid(row.uuid()).to_string())
}

/// The metadata of the rules that weigh amounts.
fn amounts(rule: &Rule) -> Vec<(&'static str, String)> {
    match rule {
        Rule::InsufficientFunds {
            account,
            available,
            requested,
            currency,
        } => vec![
            ("account_id", account.to_string()),
            ("available_micros", available.get().to_string()),
            ("requested_micros", requested.get().to_string()),
            ("currency_code", currency.to_string()),
        ],
        Rule::AccountNotEmpty {
            account,
            balance,
            held,
        } => vec![
            ("account_id", account.to_string()),
            ("balance_micros", balance.get().to_string()),
            ("held_micros", held.get().to_string()),
        ],
        Rule::CurrencyMismatch {
            account,
            account_currency,
            currency,
        } => vec![
            ("account_id", account.to_string()),
            ("account_currency_code", account_currency.to_string()),
            ("currency_code", currency.to_string()),
        ],
        Rule::CreditLimitBelowUse {
            account,
            used,
            credit_limit,
        } => vec![
            ("account_id", account.to_string()),
            ("used_micros", used.get().to_string()),
            ("credit_limit_micros", credit_limit.get().to_string()),
        ],
        _ => Vec::new(),
    }
}

const fn mode_word(mode: Mode) -> &'static str {
    match mode {
        Mode::Prepaid => "PREPAID",
        Mode::Postpaid => "POSTPAID",
        Mode::PrepaidWithCredit => "PREPAID_WITH_CREDIT",
    }
}

const fn party_word(party: Party) -> &'static str {
    match party {
        Party::Advertiser => "ADVERTISER",
        Party::Publisher => "PUBLISHER",
    }
}

const fn cause_word(state: State) -> &'static str {
    match state {
        State::Held | State::Settling => "NONE",
        State::Closed(CloseCause::Used) => "USED",
        State::Closed(CloseCause::Voided) => "VOIDED",
        State::Closed(CloseCause::Expired) => "EXPIRED",
    }
}

const fn expiry_word(expiry: Expiry) -> &'static str {
    match expiry {
        Expiry::OtherEpoch => "EPOCH",
        Expiry::BelowFloor => "COMPACTED",
        Expiry::AheadOfHead => "AHEAD",
    }
}
