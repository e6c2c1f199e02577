//! Wire values and domain values. What comes in is parsed into types that carry the proof; what goes out cannot fail.

use crate::app::Request;
use cleave_contracts::types::v1 as types;
use cleave_kernel::{
    Currency, InvalidId, Micros, Money, RequestId, Timestamp, Violation, Violations,
};
use prost::Message;
use std::str::FromStr;
use std::time::Duration;

/// A typed id.
pub(crate) fn id<T: FromStr<Err = InvalidId>>(field: &str, text: &str) -> Result<T, Violation> {
    if text.is_empty() {
        return Err(Violation::required(field));
    }
    text.parse()
        .map_err(|error: InvalidId| Violation::new(field, "INVALID_ID", error.to_string()))
}

/// A typed id that may be left out.
pub(crate) fn optional_id<T: FromStr<Err = InvalidId>>(
    field: &str,
    text: &str,
) -> Result<Option<T>, Violation> {
    if text.is_empty() {
        return Ok(None);
    }
    id(field, text).map(Some)
}

/// The name of a mutation, with the message that tells a repetition from another request.
pub(crate) fn request(request_id: &str, message: &impl Message) -> Result<Request, Violation> {
    if request_id.is_empty() {
        return Err(Violation::required("request_id"));
    }
    let id = RequestId::from_str(request_id).map_err(|_| {
        Violation::new(
            "request_id",
            "INVALID_ID",
            "give a UUID, the same on every attempt",
        )
    })?;
    Ok(Request {
        id,
        message: message.encode_to_vec(),
    })
}

/// A currency by its code.
pub(crate) fn currency(field: &str, code: &str) -> Result<Currency, Violation> {
    if code.is_empty() {
        return Err(Violation::required(field));
    }
    Currency::from_code(code)
        .map_err(|error| Violation::new(field, "UNKNOWN_CURRENCY", error.to_string()))
}

/// Money above zero.
pub(crate) fn positive(field: &str, money: Option<&types::Money>) -> Result<Money, Violation> {
    let money = at_least_zero(field, money)?;
    if money.micros.is_zero() {
        return Err(
            Violation::new("micros", "NOT_POSITIVE", "give an amount above zero").under(field),
        );
    }
    Ok(money)
}

/// Money of zero or more.
pub(crate) fn at_least_zero(field: &str, money: Option<&types::Money>) -> Result<Money, Violation> {
    let money = money.ok_or_else(|| Violation::required(field))?;
    let currency = currency("currency_code", &money.currency_code).map_err(|v| v.under(field))?;
    let micros = not_negative("micros", money.micros).map_err(|v| v.under(field))?;
    Ok(Money::new(currency, micros))
}

/// An amount of zero or more.
pub(crate) fn not_negative(field: &str, micros: i64) -> Result<Micros, Violation> {
    if micros < 0 {
        return Err(Violation::new(
            field,
            "NEGATIVE",
            "give an amount of zero or more",
        ));
    }
    Ok(Micros::new(micros))
}

/// A text of so many characters at most, that must not be empty.
pub(crate) fn text(field: &str, text: &str, max: usize) -> Result<String, Violation> {
    if text.trim().is_empty() {
        return Err(Violation::required(field));
    }
    optional_text(field, text, max)
}

/// A text of so many characters at most.
pub(crate) fn optional_text(field: &str, text: &str, max: usize) -> Result<String, Violation> {
    if text.chars().count() > max {
        return Err(Violation::new(
            field,
            "TOO_LONG",
            format!("give at most {max} characters"),
        ));
    }
    // PostgreSQL stores no NUL, and nobody can read one.
    if text.contains('\0') {
        return Err(Violation::new(
            field,
            "INVALID_TEXT",
            "leave out the NUL character",
        ));
    }
    Ok(text.to_owned())
}

/// A whole number within bounds.
pub(crate) fn within(field: &str, number: i32, low: i32, high: i32) -> Result<i32, Violation> {
    if (low..=high).contains(&number) {
        return Ok(number);
    }
    Err(Violation::new(
        field,
        "OUT_OF_BOUNDS",
        format!("give a number from {low} to {high}"),
    ))
}

/// A value of an enum that must be stated and known.
pub(crate) fn stated<E, T>(
    field: &str,
    number: i32,
    convert: impl FnOnce(E) -> Option<T>,
) -> Result<T, Violation>
where
    E: TryFrom<i32>,
{
    optional(field, number, convert)?.ok_or_else(|| Violation::required(field))
}

/// A value of an enum that may be left out, but must be known. `convert` answers `None` for what is not stated.
pub(crate) fn optional<E, T>(
    field: &str,
    number: i32,
    convert: impl FnOnce(E) -> Option<T>,
) -> Result<Option<T>, Violation>
where
    E: TryFrom<i32>,
{
    let value = E::try_from(number).map_err(|_| {
        Violation::new(
            field,
            "UNKNOWN_VALUE",
            format!("{number} is not a value of the enum"),
        )
    })?;
    Ok(convert(value))
}

/// A span above zero and within a limit.
pub(crate) fn span(
    field: &str,
    span: Option<&prost_types::Duration>,
    most: Duration,
) -> Result<Duration, Violation> {
    let span = span.ok_or_else(|| Violation::required(field))?;
    let positive = Duration::try_from(*span)
        .ok()
        .filter(|span| !span.is_zero() && *span <= most);
    positive.ok_or_else(|| {
        Violation::new(
            field,
            "OUT_OF_BOUNDS",
            format!("give a span above zero, of at most {} s", most.as_secs()),
        )
    })
}

/// An instant, if one is given.
pub(crate) fn optional_time(
    field: &str,
    time: Option<&prost_types::Timestamp>,
) -> Result<Option<Timestamp>, Violation> {
    let Some(time) = time else {
        return Ok(None);
    };
    let nanos = i64::from(time.nanos);
    let micros = (0..1_000_000_000)
        .contains(&nanos)
        .then(|| time.seconds.checked_mul(1_000_000))
        .flatten()
        .and_then(|micros| micros.checked_add(nanos / 1000))
        // Years 1 to 9999, as protobuf has it.
        .filter(|micros| (-62_135_596_800_000_000..253_402_300_800_000_000).contains(micros));
    match micros {
        Some(micros) => Ok(Some(Timestamp::from_micros(micros))),
        None => Err(Violation::new(
            field,
            "INVALID_TIME",
            "give a time between the years 1 and 9999",
        )),
    }
}

/// An instant for the wire.
pub(crate) fn time(at: Timestamp) -> prost_types::Timestamp {
    let nanos = at.micros().rem_euclid(1_000_000) * 1000;
    prost_types::Timestamp {
        seconds: at.micros().div_euclid(1_000_000),
        // Below a thousand million, so it fits.
        nanos: i32::try_from(nanos).unwrap_or_default(),
    }
}

/// An instant for the wire, unless it stands for one that nobody knows.
pub(crate) fn known_time(at: Timestamp) -> Option<prost_types::Timestamp> {
    (at != Timestamp::EPOCH).then(|| time(at))
}

/// Money for the wire.
pub(crate) fn money(money: Money) -> types::Money {
    types::Money {
        currency_code: money.currency.code().to_owned(),
        micros: money.micros.get(),
    }
}

/// The value, or every violation that was found.
pub(crate) fn checked<T>(violations: Violations, value: Option<T>) -> Result<T, Violations> {
    violations.into_result(value)
}
