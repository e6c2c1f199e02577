//! Instants on the wire.

use cleave_kernel::Timestamp;
use prost_types::Timestamp as Wire;

/// The instant as the contracts carry it.
pub(crate) fn to_proto(instant: Timestamp) -> Wire {
    let micros = instant.micros();
    let nanos = i32::try_from(micros.rem_euclid(1_000_000) * 1000);
    Wire {
        seconds: micros.div_euclid(1_000_000),
        nanos: nanos.expect("less than a second has less than 2^31 nanoseconds"),
    }
}

/// The instant behind what the contracts carry; the start of time when there is none.
pub(crate) fn from_proto(wire: Option<&Wire>) -> Timestamp {
    let wire = wire.copied().unwrap_or_default();
    let micros = wire
        .seconds
        .saturating_mul(1_000_000)
        .saturating_add(i64::from(wire.nanos) / 1000);
    Timestamp::from_micros(micros)
}
