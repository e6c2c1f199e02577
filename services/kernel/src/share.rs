//! Shares of an amount, in parts per million.

use crate::{Micros, Overflow};
use serde::{Deserialize, Serialize};

/// A share outside 0 to 1,000,000 parts per million.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a share lies between 0 and 1000000 parts per million")]
pub struct ShareOutOfRange;

/// A share between nothing (0) and the whole (1,000,000).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "u32", into = "u32")]
pub struct Ppm(u32);

impl Ppm {
    /// Nothing of it.
    pub const ZERO: Self = Self(0);
    /// All of it.
    pub const ONE: Self = Self(1_000_000);

    /// A share of `ppm` parts per million.
    ///
    /// # Errors
    /// When it is more than the whole.
    pub fn new(ppm: u32) -> Result<Self, ShareOutOfRange> {
        if ppm > Self::ONE.0 {
            Err(ShareOutOfRange)
        } else {
            Ok(Self(ppm))
        }
    }

    /// The bare parts per million.
    pub const fn get(self) -> u32 {
        self.0
    }

    /// `floor(amount * share)`.
    ///
    /// # Errors
    /// Never for a share within bounds; the type is that of all arithmetic on money.
    pub fn of(self, amount: Micros) -> Result<Micros, Overflow> {
        Micros::rate(amount.get(), i64::from(self.0), i64::from(Self::ONE.0))
    }
}

impl TryFrom<u32> for Ppm {
    type Error = ShareOutOfRange;

    fn try_from(ppm: u32) -> Result<Self, ShareOutOfRange> {
        Self::new(ppm)
    }
}

impl TryFrom<i64> for Ppm {
    type Error = ShareOutOfRange;

    fn try_from(ppm: i64) -> Result<Self, ShareOutOfRange> {
        u32::try_from(ppm)
            .map_err(|_| ShareOutOfRange)
            .and_then(Self::new)
    }
}

impl From<Ppm> for u32 {
    fn from(share: Ppm) -> Self {
        share.0
    }
}

impl From<Ppm> for i64 {
    fn from(share: Ppm) -> Self {
        Self::from(share.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whole_and_nothing_are_exact() {
        assert_eq!(Ppm::ONE.of(Micros::MAX), Ok(Micros::MAX));
        assert_eq!(Ppm::ZERO.of(Micros::MAX), Ok(Micros::ZERO));
        assert_eq!(Ppm::new(1_000_001), Err(ShareOutOfRange));
        assert_eq!(Ppm::try_from(-1_i64), Err(ShareOutOfRange));
    }
}
