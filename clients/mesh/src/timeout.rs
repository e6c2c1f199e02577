//! The `grpc-timeout` header: at most eight digits and a unit.

use http::HeaderValue;
use std::time::Duration;

/// The largest value that the specification lets a header hold.
const MAX_VALUE: u64 = 99_999_999;
/// What a value with one digit more than count is not smaller than.
const FIVE_DIGITS: u64 = 10_000;
/// The number of digits of [`MAX_VALUE`].
const MAX_DIGITS: usize = 8;

/// Units from fine to coarse, with their nanoseconds.
const UNITS: [(u8, u64); 6] = [
    (b'n', 1),
    (b'u', 1_000),
    (b'm', 1_000_000),
    (b'S', 1_000_000_000),
    (b'M', 60_000_000_000),
    (b'H', 3_600_000_000_000),
];

/// The header's value is not one that the specification allows.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("grpc-timeout must be one to eight digits and one of H, M, S, m, u, n")]
pub struct BadTimeout;

/// Reads a header's value.
///
/// # Errors
/// When it is anything but one to eight digits and a unit.
pub fn parse(value: &[u8]) -> Result<Duration, BadTimeout> {
    let (unit, digits) = value.split_last().ok_or(BadTimeout)?;
    if digits.is_empty() || digits.len() > MAX_DIGITS || !digits.iter().all(u8::is_ascii_digit) {
        return Err(BadTimeout);
    }
    let number = digits
        .iter()
        .fold(0_u64, |sum, digit| sum * 10 + u64::from(digit - b'0'));
    match unit {
        b'H' => Ok(Duration::from_secs(number * 3_600)),
        b'M' => Ok(Duration::from_secs(number * 60)),
        b'S' => Ok(Duration::from_secs(number)),
        b'm' => Ok(Duration::from_millis(number)),
        b'u' => Ok(Duration::from_micros(number)),
        b'n' => Ok(Duration::from_nanos(number)),
        _ => Err(BadTimeout),
    }
}

/// Writes a header's value in the finest unit that fits, cut to four digits that count; never more than `timeout`,
/// never zero.
///
/// So the values of calls with one timeout are nearly always the same, and HTTP/2 compresses them to a byte. gRPC's
/// own core library cuts to as few digits for that reason.
#[must_use]
pub fn format(timeout: Duration) -> String {
    let (text, start) = write(timeout);
    text[start..].iter().copied().map(char::from).collect()
}

/// The same as a header.
pub(crate) fn header(timeout: Duration) -> Option<HeaderValue> {
    let (text, start) = write(timeout);
    HeaderValue::from_bytes(&text[start..]).ok()
}

/// The header's value, and where in this text it starts.
fn write(timeout: Duration) -> ([u8; MAX_DIGITS + 1], usize) {
    let (unit, mut value) = in_unit(timeout);
    let mut text = [0; MAX_DIGITS + 1];
    text[MAX_DIGITS] = unit;
    let mut start = MAX_DIGITS;
    loop {
        start -= 1;
        text[start] = b'0' + u8::try_from(value % 10).unwrap_or_default();
        value /= 10;
        if value == 0 {
            return (text, start);
        }
    }
}

/// The finest unit that fits, and how many of it.
fn in_unit(timeout: Duration) -> (u8, u64) {
    let Ok(nanos) = u64::try_from(timeout.as_nanos()) else {
        return (b'H', (timeout.as_secs() / 3_600).min(MAX_VALUE));
    };
    let nanos = nanos.max(1);
    let fits = |(_, size): &(u8, u64)| nanos / size <= MAX_VALUE;
    let (unit, size) = UNITS.into_iter().find(fits).unwrap_or(UNITS[5]);
    (unit, cut(nanos / size))
}

/// The value with zeros behind the digits that count.
fn cut(value: u64) -> u64 {
    let mut unit = 1;
    while value / unit >= FIVE_DIGITS {
        unit *= 10;
    }
    value - value % unit
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn every_unit_is_read() {
        let cases: [(&[u8], Duration); 6] = [
            (b"2H", Duration::from_secs(7_200)),
            (b"3M", Duration::from_secs(180)),
            (b"99999999S", Duration::from_secs(99_999_999)),
            (b"20m", Duration::from_millis(20)),
            (b"7u", Duration::from_micros(7)),
            (b"0n", Duration::ZERO),
        ];
        for (text, expected) in cases {
            assert_eq!(parse(text), Ok(expected));
        }
    }

    #[test]
    fn rubbish_is_refused() {
        let cases: [&[u8]; 8] = [
            b"",
            b"1",
            b"S",
            b"-1S",
            b"123456789S",
            b"1s",
            b"1.5S",
            "1\u{fffd}".as_bytes(),
        ];
        for text in cases {
            assert_eq!(parse(text), Err(BadTimeout), "{text:?}");
        }
    }

    proptest! {
        #[test]
        fn any_bytes_are_read_or_refused_without_panic(bytes: Vec<u8>) {
            let _ = parse(&bytes);
        }

        #[test]
        fn what_is_written_is_read_back_and_never_longer(nanos in 1_u64..) {
            let timeout = Duration::from_nanos(nanos);
            let read = parse(format(timeout).as_bytes()).expect("own format");
            prop_assert!(read <= timeout);
            prop_assert!(timeout - read <= timeout / 1_000 + Duration::from_nanos(1));
        }
    }
}
