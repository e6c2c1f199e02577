//! The calls that a service makes itself: under the same name and identity as it serves.

use crate::config::{HostSettings, LookupSettings};
use crate::telemetry;
use cleave_mesh::policy::PolicyTable;
use cleave_mesh::tls::Credentials;
use cleave_mesh::{Mesh, MeshBuilder, Tuning};

/// The mesh of the service `name`, without peers yet. The credentials are those that its host serves by.
#[must_use]
pub fn mesh(
    name: &str,
    policies: PolicyTable,
    settings: &HostSettings,
    credentials: Option<&Credentials>,
) -> MeshBuilder {
    // What is counted of the peers is counted from their first connection on.
    telemetry::metrics();
    Mesh::builder(policies)
        .caller(name)
        .credentials(credentials.cloned())
        .allow_plaintext(settings.allow_plaintext)
        .tuning(tuning(&settings.peers))
}

fn tuning(lookups: &LookupSettings) -> Tuning {
    Tuning {
        resolve_floor: lookups.resolve_at_least,
        resolve_ceiling: lookups.resolve_at_most,
        ..Tuning::default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::{Faults, Loader, TelemetrySettings, Validate};
    use serde::Deserialize;
    use std::time::Duration;

    #[derive(Debug, Deserialize)]
    struct Settings {
        host: HostSettings,
        #[expect(dead_code, reason = "the section is part of the schema")]
        telemetry: TelemetrySettings,
    }

    impl Validate for Settings {
        fn validate(&self, faults: &mut Faults) {
            self.host.validate(faults);
        }
    }

    fn loader(least: &str, most: &str) -> Loader {
        Loader::new("test")
            .set("host.peers.resolve_at_least", least)
            .set("host.peers.resolve_at_most", most)
    }

    #[test]
    fn lookups_keep_to_what_is_set() {
        let defaults = Loader::new("test").load::<Settings>().expect("settings");
        let (of_the_host, of_the_mesh) = (tuning(&defaults.host.peers), Tuning::default());
        assert_eq!(of_the_host.resolve_floor, of_the_mesh.resolve_floor);
        assert_eq!(of_the_host.resolve_ceiling, of_the_mesh.resolve_ceiling);

        let settings = loader("5s", "5m").load::<Settings>().expect("settings");
        let tuning = tuning(&settings.host.peers);
        assert_eq!(tuning.resolve_floor, Duration::from_secs(5));
        assert_eq!(tuning.resolve_ceiling, Duration::from_secs(300));
    }

    #[test]
    fn bounds_that_bound_nothing_are_refused() {
        let rejected = |least, most| {
            let rejected = loader(least, most).load::<Settings>();
            rejected.expect_err("rejected").to_string()
        };
        let crossed = rejected("2m", "1m");
        assert!(
            crossed.contains("host.peers.resolve_at_least: longer than host.peers.resolve_at_most"),
            "{crossed}"
        );
        let none = rejected("0", "1m");
        assert!(none.contains("without a pause"), "{none}");
    }
}
