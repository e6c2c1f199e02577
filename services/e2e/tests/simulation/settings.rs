//! The settings of the simulated services: as they ship, except that a run of seconds must see what
//! otherwise takes minutes.

use cleave_host::config::{Faults, HostSettings, Loader, TelemetrySettings, Validate};
use cleave_mesh::Tuning;
use serde::Deserialize;
use std::time::Duration;

/// Where every service listens.
pub(crate) const PORT: u16 = 50_051;
/// The most that a drain may take.
pub(crate) const DRAIN_CAP: Duration = Duration::from_millis(1_500);
/// How long a draining service still takes calls.
pub(crate) const LAME_DUCK: Duration = Duration::from_millis(100);

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Settings {
    host: HostSettings,
    #[expect(dead_code, reason = "the loader brings it along")]
    telemetry: TelemetrySettings,
}

impl Validate for Settings {
    fn validate(&self, faults: &mut Faults) {
        self.host.validate(faults);
    }
}

/// The settings of every service.
pub(crate) fn host() -> HostSettings {
    let settings: Settings = Loader::new("SIMULATION")
        .set("host.listen", &format!("0.0.0.0:{PORT}"))
        .set("host.admin", "0.0.0.0:50061")
        .set("host.allow_plaintext", "true")
        .set("host.lame_duck", &format!("{}ms", LAME_DUCK.as_millis()))
        .set("host.drain_cap", &format!("{}ms", DRAIN_CAP.as_millis()))
        .set("host.keepalive_interval", "400ms")
        .set("host.keepalive_timeout", "400ms")
        .set("host.handshake_timeout", "1s")
        .set("host.max_connection_age", "2s")
        .set("host.max_connection_grace", "500ms")
        .set("host.probe_period", "500ms")
        .load()
        .unwrap_or_else(|rejected| panic!("{rejected}"));
    settings.host
}

/// How every mesh keeps its connections.
pub(crate) fn tuning() -> Tuning {
    Tuning {
        connect_timeout: Duration::from_millis(400),
        first_backoff: Duration::from_millis(100),
        max_backoff: Duration::from_secs(1),
        demanded_backoff: Duration::from_millis(50),
        keepalive_interval: Duration::from_millis(300),
        keepalive_timeout: Duration::from_millis(300),
        first_ejection: Duration::from_millis(200),
        max_ejection: Duration::from_millis(800),
        decay: Duration::from_secs(1),
        ..Tuning::default()
    }
}
