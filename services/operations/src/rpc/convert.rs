//! Scalars of the contract and of the domain, each way.

use cleave_contracts::operations::v1 as pb;
use cleave_kernel::{Currency, InvalidId, Micros, Timestamp, Violation};
use operations_domain::{BillingProposal, Flight, Stamp};
use std::str::FromStr;

use super::names::{self, Wire};

/// The id that a field must hold.
pub(crate) fn id<T: FromStr<Err = InvalidId>>(field: &str, text: &str) -> Result<T, Violation> {
    optional_id(field, text)?.ok_or_else(|| Violation::required(field))
}

/// The id that a field may hold.
pub(crate) fn optional_id<T: FromStr<Err = InvalidId>>(
    field: &str,
    text: &str,
) -> Result<Option<T>, Violation> {
    if text.is_empty() {
        return Ok(None);
    }
    text.parse()
        .map(Some)
        .map_err(|error: InvalidId| Violation::new(field, "INVALID_ID", error.to_string()))
}

/// The currency that a field must name.
pub(crate) fn currency(field: &str, code: &str) -> Result<Currency, Violation> {
    optional_currency(field, code)?.ok_or_else(|| Violation::required(field))
}

/// The currency that a field may name.
pub(crate) fn optional_currency(field: &str, code: &str) -> Result<Option<Currency>, Violation> {
    if code.is_empty() {
        return Ok(None);
    }
    Currency::from_code(code)
        .map(Some)
        .map_err(|error| Violation::new(field, "UNKNOWN_CURRENCY", error.to_string()))
}

/// The instant that a field must hold.
pub(crate) fn instant(
    field: &str,
    time: Option<prost_types::Timestamp>,
) -> Result<Timestamp, Violation> {
    optional_instant(field, time)?.ok_or_else(|| Violation::required(field))
}

/// The instant that a field may hold; parts of a microsecond are cut off.
pub(crate) fn optional_instant(
    field: &str,
    time: Option<prost_types::Timestamp>,
) -> Result<Option<Timestamp>, Violation> {
    /// 0001-01-01 and 10000-01-01, between which a google.protobuf.Timestamp lies.
    const YEARS: std::ops::Range<i64> = -62_135_596_800..253_402_300_800;
    let Some(time) = time else {
        return Ok(None);
    };
    if !YEARS.contains(&time.seconds) || !(0..1_000_000_000).contains(&time.nanos) {
        return Err(Violation::new(
            field,
            "OUT_OF_RANGE",
            "the instant lies outside the years 1 to 9999, or its nanos outside a second",
        ));
    }
    let micros = time.seconds * 1_000_000 + i64::from(time.nanos / 1000);
    Ok(Some(Timestamp::from_micros(micros)))
}

/// An instant on the wire.
pub(crate) fn time(at: Timestamp) -> Option<prost_types::Timestamp> {
    let nanos = i32::try_from(at.micros().rem_euclid(1_000_000) * 1000).ok()?;
    Some(prost_types::Timestamp {
        seconds: at.micros().div_euclid(1_000_000),
        nanos,
    })
}

/// The flight between two fields.
pub(crate) fn flight(
    start: Option<prost_types::Timestamp>,
    end: Option<prost_types::Timestamp>,
) -> Result<Flight, Violation> {
    let flight = Flight {
        starts_at: instant("start_time", start)?,
        ends_at: optional_instant("end_time", end)?,
    };
    flight.checked()
}

/// An amount above zero that a field may hold.
pub(crate) fn positive(field: &str, micros: Option<i64>) -> Result<Option<Micros>, Violation> {
    match micros {
        Some(micros) if micros <= 0 => Err(Violation::new(
            field,
            "NOT_POSITIVE",
            "the amount lies above zero; leave it out when there is none",
        )),
        micros => Ok(micros.map(Micros::new)),
    }
}

/// The proposal for an account that buys.
pub(crate) fn proposal(
    proposal: Option<pb::BillingProposal>,
) -> Result<BillingProposal, Violation> {
    let in_field = |fault: Violation| fault.under("billing_proposal");
    let proposal = proposal.ok_or_else(|| Violation::required("billing_proposal"))?;
    let mode = names::required("mode", proposal.mode).map_err(in_field)?;
    let limit = Micros::new(proposal.credit_limit_micros);
    BillingProposal::new(mode, limit, i64::from(proposal.net_days)).map_err(in_field)
}

/// A proposal on the wire.
pub(crate) fn wire_proposal(proposal: BillingProposal) -> Option<pb::BillingProposal> {
    Some(pb::BillingProposal {
        mode: proposal.mode.to_wire(),
        credit_limit_micros: proposal.credit_limit.get(),
        net_days: i32::from(proposal.net_days),
    })
}

/// The etag of a row.
pub(crate) fn etag(stamp: Stamp) -> String {
    stamp.version.to_string()
}

/// An optional text on the wire.
pub(crate) fn or_empty(text: Option<String>) -> String {
    text.unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn instants_survive_the_wire(micros in -62_135_596_800_000_000_i64..253_402_300_800_000_000) {
            let at = Timestamp::from_micros(micros);
            prop_assert_eq!(optional_instant("t", time(at)), Ok(Some(at)));
        }
    }

    #[test]
    fn an_instant_beyond_the_calendar_is_refused() {
        for (seconds, nanos) in [
            (i64::MAX, 0),
            (0, -1),
            (0, 1_000_000_000),
            (-62_135_596_801, 0),
        ] {
            let time = prost_types::Timestamp { seconds, nanos };
            assert!(optional_instant("t", Some(time)).is_err());
        }
    }
}
