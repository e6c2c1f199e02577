//! The section on the services that are called: how their addresses are looked up.

use super::duration;
use super::fault::Faults;
use super::loader::Validate;
use serde::Deserialize;
use std::time::Duration;

/// How the addresses of other services are looked up; the keys are documented in the defaults.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LookupSettings {
    /// The least time between two lookups of a name.
    #[serde(with = "duration")]
    pub resolve_at_least: Duration,
    /// The most.
    #[serde(with = "duration")]
    pub resolve_at_most: Duration,
}

impl Validate for LookupSettings {
    fn validate(&self, faults: &mut Faults) {
        if self.resolve_at_least.is_zero() {
            faults.add(
                "host.peers.resolve_at_least",
                "must not be zero: a name that is valid for no time would be looked up without a pause",
                "give a duration such as \"1s\"",
            );
        }
        if self.resolve_at_least > self.resolve_at_most {
            faults.add(
                "host.peers.resolve_at_least",
                "longer than host.peers.resolve_at_most",
                "give less, or more there",
            );
        }
    }
}
