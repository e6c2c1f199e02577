//! Accounting months.

use cleave_kernel::Timestamp;
use jiff::tz::TimeZone;
use serde::{Deserialize, Serialize};
use std::fmt;
use std::str::FromStr;

/// One civil month of the accounting time zone, counted from January of year 0.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Period(i32);

/// A text that is not a month such as "2026-11".
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("a period is a month such as \"2026-11\"")]
pub struct InvalidPeriod;

impl Period {
    /// The month that `instant` falls into in `zone`; the last one there is for an instant beyond the calendar.
    pub fn of(instant: Timestamp, zone: &TimeZone) -> Self {
        match instant.in_zone(zone) {
            Some(civil) => Self(i32::from(civil.year()) * 12 + i32::from(civil.month()) - 1),
            None => Self(i32::from(i16::MAX) * 12 + 11),
        }
    }

    /// The instant at which the month ends in `zone`; the last there is for a month beyond the calendar.
    pub fn ends_at(self, zone: &TimeZone) -> Timestamp {
        let next = self.0.saturating_add(1);
        let first = || {
            let year = i16::try_from(next.div_euclid(12)).ok()?;
            let month = i8::try_from(next.rem_euclid(12) + 1).ok()?;
            let day = jiff::civil::Date::new(year, month, 1).ok()?;
            let start = zone.to_timestamp(day.into()).ok()?;
            Some(start.as_microsecond())
        };
        Timestamp::from_micros(first().unwrap_or(i64::MAX))
    }

    /// The month behind a stored index.
    pub const fn from_index(index: i32) -> Self {
        Self(index)
    }

    /// The index to store.
    pub const fn index(self) -> i32 {
        self.0
    }
}

/// The civil day that delivery belongs to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CivilDay {
    /// Its month.
    pub period: Period,
    /// Its day of the month, from 1.
    pub day: u8,
}

impl CivilDay {
    /// The day that `instant` falls into in `zone`; the last there is for an instant beyond the calendar.
    pub fn of(instant: Timestamp, zone: &TimeZone) -> Self {
        let civil = instant.in_zone(zone);
        let day = civil.and_then(|civil| u8::try_from(civil.day()).ok());
        Self {
            period: Period::of(instant, zone),
            day: day.unwrap_or(31),
        }
    }
}

impl fmt::Display for Period {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{:04}-{:02}",
            self.0.div_euclid(12),
            self.0.rem_euclid(12) + 1
        )
    }
}

impl FromStr for Period {
    type Err = InvalidPeriod;

    fn from_str(text: &str) -> Result<Self, InvalidPeriod> {
        let (year, month) = text.split_once('-').ok_or(InvalidPeriod)?;
        let number = |digits: &str, length: usize| {
            let plain = digits.len() == length && digits.bytes().all(|b| b.is_ascii_digit());
            plain.then(|| digits.parse::<i32>().ok()).flatten()
        };
        match (number(year, 4), number(month, 2)) {
            (Some(year), Some(month @ 1..=12)) => Ok(Self(year * 12 + month - 1)),
            _ => Err(InvalidPeriod),
        }
    }
}
