//! The section on admission: how much work the service takes on.

use super::duration;
use super::fault::Faults;
use super::loader::Validate;
use crate::admission::MOST_CALLS;
use serde::Deserialize;
use std::time::Duration;

/// How much work the service takes on; the keys are documented in the defaults.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AdmissionSettings {
    /// Most unary calls at one time.
    pub max_calls: u32,
    /// Whether the limit follows how long calls take.
    pub adaptive: bool,
    /// The least that the limit may become.
    pub min_calls: u32,
    /// A latency that nobody minds.
    #[serde(with = "duration")]
    pub tolerated_latency: Duration,
    /// Most streams at one time.
    pub max_streams: u32,
}

impl Validate for AdmissionSettings {
    fn validate(&self, faults: &mut Faults) {
        for (key, value) in [
            ("host.admission.max_calls", self.max_calls),
            ("host.admission.min_calls", self.min_calls),
            ("host.admission.max_streams", self.max_streams),
        ] {
            if value == 0 {
                faults.add(key, "no call could be made", "at least 1");
            }
        }
        if self.max_calls > MOST_CALLS {
            faults.add(
                "host.admission.max_calls",
                "more than can be counted",
                format!("at most {MOST_CALLS}"),
            );
        }
        if self.min_calls > self.max_calls {
            faults.add(
                "host.admission.min_calls",
                "more than host.admission.max_calls",
                "give less",
            );
        }
    }
}
