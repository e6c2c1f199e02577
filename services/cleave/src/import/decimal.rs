//! Decimal text to micros, exactly.

/// A text that is not an amount which fits.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum InvalidAmount {
    /// Not a decimal number.
    #[error("is not a decimal number such as 12.34")]
    Malformed,
    /// Below zero.
    #[error("is below zero")]
    Negative,
    /// Beyond what 64 bits of micros hold.
    #[error("is too large")]
    TooLarge,
}

/// More digits than any amount has; what is longer is no number but a mistake.
const MOST_DIGITS: usize = 60;

/// The amount in micros, rounded half to even where the text says more than micros can.
///
/// Never goes through floating point. Accepts what spreadsheets and databases write: `12`, `12.5`, `.5`, `1e-7`.
pub(crate) fn micros(text: &str) -> Result<i64, InvalidAmount> {
    let (mantissa, exponent) = match text.split_once(['e', 'E']) {
        Some((mantissa, exponent)) => (mantissa, parse_exponent(exponent)?),
        None => (text, 0),
    };
    let (negative, mantissa) = match mantissa.strip_prefix('-') {
        Some(rest) => (true, rest),
        None => (false, mantissa.strip_prefix('+').unwrap_or(mantissa)),
    };
    let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
    let digits: Vec<u8> = whole.bytes().chain(fraction.bytes()).collect();
    if digits.is_empty() || digits.len() > MOST_DIGITS || !digits.iter().all(u8::is_ascii_digit) {
        return Err(InvalidAmount::Malformed);
    }
    if negative && digits.iter().any(|digit| *digit != b'0') {
        return Err(InvalidAmount::Negative);
    }
    // Where the decimal point of micros stands within the digits.
    let places = i32::try_from(whole.len()).map_err(|_| InvalidAmount::Malformed)?;
    round(&digits, places + exponent + 6)
}

fn parse_exponent(text: &str) -> Result<i32, InvalidAmount> {
    let exponent: i32 = text.parse().map_err(|_| InvalidAmount::Malformed)?;
    if (-100..=100).contains(&exponent) {
        Ok(exponent)
    } else {
        Err(InvalidAmount::Malformed)
    }
}

/// The number whose point stands after `places` of the digits, rounded half to even.
fn round(digits: &[u8], places: i32) -> Result<i64, InvalidAmount> {
    let Ok(places) = usize::try_from(places) else {
        // Less than a tenth of a micro.
        return Ok(0);
    };
    let mut value: i64 = 0;
    for place in 0..places {
        let digit = digits.get(place).map_or(0, |digit| i64::from(digit - b'0'));
        value = value
            .checked_mul(10)
            .and_then(|value| value.checked_add(digit))
            .ok_or(InvalidAmount::TooLarge)?;
    }
    let rest = digits.get(places..).unwrap_or_default();
    let beyond_half = rest.iter().skip(1).any(|digit| *digit != b'0');
    let up = match rest.first() {
        Some(b'6'..=b'9') => true,
        Some(b'5') => beyond_half || value % 2 == 1,
        Some(_) | None => false,
    };
    value
        .checked_add(i64::from(up))
        .ok_or(InvalidAmount::TooLarge)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn amounts_are_exact() {
        for (text, expected) in [
            ("0", 0),
            ("-0.00", 0),
            ("12", 12_000_000),
            ("+12.5", 12_500_000),
            (".5", 500_000),
            ("7.", 7_000_000),
            ("1.429999948", 1_430_000),
            ("57.35", 57_350_000),
            ("1e-6", 1),
            ("1.25E2", 125_000_000),
            ("9223372036854.775807", i64::MAX),
        ] {
            assert_eq!(micros(text), Ok(expected), "{text}");
        }
    }

    #[test]
    fn halves_go_to_the_even_neighbour() {
        for (text, expected) in [
            ("0.0000005", 0),
            ("0.0000015", 2),
            ("0.0000025", 2),
            ("0.00000250001", 3),
            ("0.0000024999", 2),
            ("0.00000005", 0),
            ("5e-7", 0),
            ("15e-7", 2),
            ("1e-60", 0),
        ] {
            assert_eq!(micros(text), Ok(expected), "{text}");
        }
    }

    #[test]
    fn what_is_no_amount_is_told() {
        for text in [
            "", ".", "-", "abc", "1,5", "1 000", "0x10", "1.2.3", "1e", "NaN", "1e999",
        ] {
            assert_eq!(micros(text), Err(InvalidAmount::Malformed), "{text}");
        }
        assert_eq!(micros("-1"), Err(InvalidAmount::Negative));
        assert_eq!(
            micros("9223372036854.7758075"),
            Err(InvalidAmount::TooLarge)
        );
        assert_eq!(micros("1e30"), Err(InvalidAmount::TooLarge));
    }
}
