//! Amounts of money: exact integers, checked at every step.

use crate::Currency;
use serde::{Deserialize, Serialize};
use std::fmt;

/// An amount left the range of 64-bit micros, about 9.2 million million units.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the amount does not fit into 64-bit micros")]
pub struct Overflow;

/// Millionths of one currency unit. Signed: what a sign means is said where the amount stands.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize,
)]
#[serde(transparent)]
pub struct Micros(i64);

impl Micros {
    /// Nothing.
    pub const ZERO: Self = Self(0);
    /// The largest amount.
    pub const MAX: Self = Self(i64::MAX);
    /// Micros in one unit of any currency.
    pub const PER_UNIT: i64 = 1_000_000;

    /// An amount of `micros` millionths.
    pub const fn new(micros: i64) -> Self {
        Self(micros)
    }

    /// The bare number of millionths, for a row or a message.
    pub const fn get(self) -> i64 {
        self.0
    }

    /// Whether the amount is below zero.
    pub const fn is_negative(self) -> bool {
        self.0 < 0
    }

    /// Whether the amount is above zero.
    pub const fn is_positive(self) -> bool {
        self.0 > 0
    }

    /// Whether there is nothing.
    pub const fn is_zero(self) -> bool {
        self.0 == 0
    }

    /// `self + other`.
    pub fn checked_add(self, other: Self) -> Result<Self, Overflow> {
        self.0.checked_add(other.0).map(Self).ok_or(Overflow)
    }

    /// `self - other`.
    pub fn checked_sub(self, other: Self) -> Result<Self, Overflow> {
        self.0.checked_sub(other.0).map(Self).ok_or(Overflow)
    }

    /// `-self`.
    pub fn checked_neg(self) -> Result<Self, Overflow> {
        self.0.checked_neg().map(Self).ok_or(Overflow)
    }

    /// The sum of `amounts`, exact as long as the total fits, in whatever order they come.
    pub fn checked_sum(amounts: impl IntoIterator<Item = Self>) -> Result<Self, Overflow> {
        let total: i128 = amounts.into_iter().map(|amount| i128::from(amount.0)).sum();
        i64::try_from(total).map(Self).map_err(|_| Overflow)
    }

    /// `floor(quantity * rate / per)`, the product taken in 128 bits.
    ///
    /// # Errors
    /// When the quotient does not fit, or `per` is not positive.
    pub fn rate(quantity: i64, rate: i64, per: i64) -> Result<Self, Overflow> {
        if per <= 0 {
            return Err(Overflow);
        }
        let product = i128::from(quantity) * i128::from(rate);
        i64::try_from(product.div_euclid(i128::from(per)))
            .map(Self)
            .map_err(|_| Overflow)
    }
}

impl fmt::Display for Micros {
    /// Decimal units with six places: `-1.000001`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let sign = if self.0 < 0 { "-" } else { "" };
        let magnitude = self.0.unsigned_abs();
        let per_unit = Self::PER_UNIT.unsigned_abs();
        write!(
            f,
            "{sign}{}.{:06}",
            magnitude / per_unit,
            magnitude % per_unit
        )
    }
}

/// An amount with its currency.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Money {
    /// What the amount is counted in.
    pub currency: Currency,
    /// How much.
    pub micros: Micros,
}

impl Money {
    /// `micros` millionths of a unit of `currency`.
    pub const fn new(currency: Currency, micros: Micros) -> Self {
        Self { currency, micros }
    }
}

impl fmt::Display for Money {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.micros, self.currency)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn rates_by_floor_also_below_zero() {
        assert_eq!(Micros::rate(1, 1_234_567, 1000), Ok(Micros::new(1234)));
        assert_eq!(Micros::rate(-1, 1_234_567, 1000), Ok(Micros::new(-1235)));
        assert_eq!(Micros::rate(i64::MAX, 2, 1), Err(Overflow));
        assert_eq!(Micros::rate(i64::MAX, i64::MAX, i64::MAX), Ok(Micros::MAX));
        assert_eq!(Micros::rate(1, 1, 0), Err(Overflow));
    }

    #[test]
    fn prints_units_with_six_places() {
        assert_eq!(Micros::new(-1_000_001).to_string(), "-1.000001");
        assert_eq!(Micros::new(i64::MIN).to_string(), "-9223372036854.775808");
    }

    proptest! {
        #[test]
        fn arithmetic_is_that_of_wide_integers(a: i64, b: i64) {
            let wide = |sum: i128| i64::try_from(sum).map(Micros).map_err(|_| Overflow);
            prop_assert_eq!(Micros(a).checked_add(Micros(b)), wide(i128::from(a) + i128::from(b)));
            prop_assert_eq!(Micros(a).checked_sub(Micros(b)), wide(i128::from(a) - i128::from(b)));
            prop_assert_eq!(Micros(a).checked_neg(), wide(-i128::from(a)));
        }
    }
}
