//! Everything that can be set. `config.default.toml` says what each key means.

use cleave_host::config::{Faults, HostSettings, TelemetrySettings, Validate, duration};
use cleave_storage::DatabaseOptions;
use jiff::tz::TimeZone;
use serde::Deserialize;
use std::time::Duration;

/// The settings of the service.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Settings {
    /// Where and how the service listens.
    pub host: HostSettings,
    /// What the service says about itself.
    pub telemetry: TelemetrySettings,
    /// Where the rows are.
    pub database: DatabaseSettings,
    /// The ledger.
    pub ledger: LedgerSettings,
    /// The streams that others follow.
    pub watch: WatchSettings,
    /// Where the other side is.
    pub peers: PeerSettings,
    /// The rating of delivery.
    pub rating: RatingSettings,
}

/// Where the rows are.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DatabaseSettings {
    /// The database.
    pub url: String,
    /// Connections to a database server.
    pub connections: u32,
    /// Whether the schema is brought up to date at the start.
    pub migrate: bool,
}

/// The ledger.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LedgerSettings {
    /// Where accounting months begin and end.
    pub time_zone: String,
    /// How often expiry looks.
    #[serde(with = "duration")]
    pub expiry_period: Duration,
}

/// The streams that others follow.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct WatchSettings {
    /// How often an idle stream says so.
    #[serde(with = "duration")]
    pub heartbeat: Duration,
    /// How often other replicas' commits are looked for.
    #[serde(with = "duration")]
    pub poll: Duration,
}

/// Where the other side is.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PeerSettings {
    /// Operations; empty when this process rates nothing.
    pub operations: String,
}

/// The rating of delivery.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RatingSettings {
    /// How often a parked row is tried again.
    #[serde(with = "duration")]
    pub retry_period: Duration,
    /// How often unfunded delivery is looked through for what has waited long enough.
    #[serde(with = "duration")]
    pub settle_period: Duration,
    /// How long unfunded delivery waits for money.
    #[serde(with = "duration")]
    pub settle_after: Duration,
    /// How long after its end the delivery of a month may be corrected.
    #[serde(with = "duration")]
    pub correction_window: Duration,
}

impl DatabaseSettings {
    /// How to connect.
    pub fn options(&self) -> DatabaseOptions {
        DatabaseOptions {
            connections: self.connections,
            ..DatabaseOptions::default()
        }
    }

    /// Whether the database is a file of this process.
    pub fn is_embedded(&self) -> bool {
        self.url.starts_with("sqlite:")
    }
}

impl LedgerSettings {
    /// The accounting time zone, if there is one of that name.
    pub fn zone(&self) -> Option<TimeZone> {
        TimeZone::get(&self.time_zone).ok()
    }
}

impl Validate for Settings {
    fn validate(&self, faults: &mut Faults) {
        self.host.validate(faults);
        let schemes = ["sqlite:", "postgres:", "postgresql:", "mysql:", "mariadb:"];
        if !schemes
            .iter()
            .any(|scheme| self.database.url.starts_with(scheme))
        {
            faults.add(
                "database.url",
                "is of no kind that is known",
                "give sqlite:///PATH, postgres://... or mysql://...",
            );
        }
        if self.database.connections == 0 {
            faults.add(
                "database.connections",
                "leaves no connection",
                "give at least 1",
            );
        }
        if self.ledger.zone().is_none() {
            faults.add(
                "ledger.time_zone",
                "is no IANA time zone",
                "give one such as \"Asia/Kolkata\" or \"UTC\"",
            );
        }
        for (key, period) in [
            ("ledger.expiry_period", self.ledger.expiry_period),
            ("watch.heartbeat", self.watch.heartbeat),
            ("watch.poll", self.watch.poll),
            ("rating.retry_period", self.rating.retry_period),
            ("rating.settle_period", self.rating.settle_period),
        ] {
            if period < Duration::from_millis(10) {
                faults.add(key, "is too short to be kept", "give at least 10ms");
            }
        }
    }
}
