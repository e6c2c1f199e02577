//! When a line's delivery was: a date in some format and zone, as the start of a UTC hour.

use cleave_kernel::Timestamp;
use jiff::civil;
use jiff::fmt::strtime;
use jiff::tz::TimeZone;
use serde::Deserialize;

use super::map::MapFault;

/// How the file says when.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct TimeMap {
    /// The column that holds it.
    pub(crate) column: String,
    /// Its format, in the letters of strftime: `%d-%m-%Y`, `%Y-%m-%dT%H:%M`.
    format: String,
    /// The IANA time zone that it is meant in.
    #[serde(default = "default_zone")]
    zone: String,
    /// For dates without a time, the hour that stands for the day. Midday keeps a day's delivery within the
    /// civil day, whatever the zone's distance from UTC.
    #[serde(default = "default_hour")]
    hour: i8,
}

fn default_zone() -> String {
    "Asia/Kolkata".to_owned()
}

const fn default_hour() -> i8 {
    12
}

/// Reads instants as the map says.
#[derive(Clone, Debug)]
pub(crate) struct WhenReader {
    format: String,
    zone: TimeZone,
    hour: i8,
}

impl TimeMap {
    pub(crate) fn reader(&self) -> Result<WhenReader, MapFault> {
        let zone = TimeZone::get(&self.zone)
            .map_err(|_| MapFault::new("time.zone", format!("{:?} is no time zone", self.zone)))?;
        if !(0..24).contains(&self.hour) {
            return Err(MapFault::new("time.hour", "is an hour from 0 to 23"));
        }
        Ok(WhenReader {
            format: self.format.clone(),
            zone,
            hour: self.hour,
        })
    }
}

impl WhenReader {
    /// The UTC hour that `text` lies in; what is wrong with it otherwise.
    pub(crate) fn read(&self, text: &str) -> Result<Timestamp, String> {
        let fault = || format!("{text:?} is not a date of the form {:?}", self.format);
        let parsed = strtime::parse(&self.format, text).map_err(|_| fault())?;
        let civil = if parsed.hour().is_some() {
            parsed.to_datetime().map_err(|_| fault())?
        } else {
            let date = parsed.to_date().map_err(|_| fault())?;
            date.at(self.hour, 0, 0, 0)
        };
        start_of_hour(civil, &self.zone).ok_or_else(fault)
    }
}

fn start_of_hour(civil: civil::DateTime, zone: &TimeZone) -> Option<Timestamp> {
    let second = zone.to_timestamp(civil).ok()?.as_second();
    let hour = second - second.rem_euclid(3600);
    Some(Timestamp::from_micros(hour.checked_mul(1_000_000)?))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn reader(format: &str, zone: &str) -> WhenReader {
        let map = TimeMap {
            column: "Date".to_owned(),
            format: format.to_owned(),
            zone: zone.to_owned(),
            hour: 12,
        };
        map.reader().expect("a sound map")
    }

    #[test]
    fn a_day_becomes_an_hour_within_it() {
        // Midday in India is 06:30 UTC, in the hour that starts at 11:30 there.
        let hour = reader("%d-%m-%Y", "Asia/Kolkata").read("31-08-2023");
        assert_eq!(
            hour.map(|h| h.to_string()),
            Ok("2023-08-31T06:00:00Z".to_owned())
        );
        let hour = reader("%Y-%m-%d", "UTC").read("2023-02-28");
        assert_eq!(
            hour.map(|h| h.to_string()),
            Ok("2023-02-28T12:00:00Z".to_owned())
        );
    }

    #[test]
    fn a_time_counts_for_its_hour() {
        let hour = reader("%Y-%m-%d %H:%M", "UTC").read("2023-02-28 17:59");
        assert_eq!(
            hour.map(|h| h.to_string()),
            Ok("2023-02-28T17:00:00Z".to_owned())
        );
    }

    #[test]
    fn what_is_no_date_is_told() {
        for text in ["", "31/08/2023", "31-02-2023", "2023-08-31", "31-08-2023 "] {
            let error = reader("%d-%m-%Y", "UTC")
                .read(text)
                .expect_err("no such date");
            assert!(error.contains("%d-%m-%Y"), "{error}");
        }
    }
}
