//! Everything that can be set. `config.default.toml` says what each key means.

use cleave_host::config::{Faults, HostSettings, TelemetrySettings, Validate, duration};
use cleave_kernel::Micros;
use cleave_storage::DatabaseOptions;
use jiff::tz::TimeZone;
use operations_domain::lease::LeasePolicy;
use serde::Deserialize;
use std::time::Duration;

/// Shorter periods cannot be kept.
const SHORTEST: Duration = Duration::from_millis(10);

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
    /// Delivery and what is summed of it.
    pub delivery: DeliverySettings,
    /// The streams that others follow.
    pub watch: WatchSettings,
    /// The other services.
    pub peers: PeerSettings,
    /// The leases on which line items serve.
    pub leases: LeaseSettings,
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

/// Delivery and what is summed of it.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DeliverySettings {
    /// Where days begin and end.
    pub time_zone: String,
}

/// The streams that others follow.
#[derive(Debug, Clone, Copy, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct WatchSettings {
    /// How often an idle stream says so.
    #[serde(with = "duration")]
    pub heartbeat: Duration,
    /// How often other replicas' commits are looked for.
    #[serde(with = "duration")]
    pub poll: Duration,
}

/// The other services.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PeerSettings {
    /// Where Billing is.
    pub billing: String,
    /// How often messages that could not be told are looked for.
    #[serde(with = "duration")]
    pub outbox_period: Duration,
}

/// The leases on which line items serve.
#[derive(Debug, Clone, Copy, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LeaseSettings {
    /// How often it is looked through which line items need one.
    #[serde(with = "duration")]
    pub period: Duration,
    /// How long a lease serves.
    #[serde(with = "duration")]
    pub serve_for: Duration,
    /// How long late rows may draw from it.
    #[serde(with = "duration")]
    pub settle_for: Duration,
    /// How much to ask for while no spend is known.
    pub first_micros: i64,
    /// The least to ask for.
    pub least_micros: i64,
    /// The most to ask for.
    pub most_micros: i64,
    /// Room above the forecast.
    pub headroom_percent: u32,
    /// Share of the money after which the next one is asked for.
    pub renew_used_percent: u32,
    /// Share of the time after which the next one is asked for.
    pub renew_time_percent: u32,
    /// How long to wait after a refusal.
    #[serde(with = "duration")]
    pub retry_after: Duration,
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

impl DeliverySettings {
    /// Where days begin and end, if there is a zone of that name.
    pub fn zone(&self) -> Option<TimeZone> {
        TimeZone::get(&self.time_zone).ok()
    }
}

impl LeaseSettings {
    /// The sizes and spans by which leases are taken.
    pub const fn policy(&self) -> LeasePolicy {
        LeasePolicy {
            serve_for: self.serve_for,
            settle_for: self.settle_for,
            first: Micros::new(self.first_micros),
            least: Micros::new(self.least_micros),
            most: Micros::new(self.most_micros),
            headroom_percent: self.headroom_percent,
            renew_used_percent: self.renew_used_percent,
            renew_time_percent: self.renew_time_percent,
            retry_after: self.retry_after,
        }
    }

    fn validate(&self, faults: &mut Faults) {
        if self.settle_for < self.serve_for {
            faults.add(
                "leases.settle_for",
                "ends before the lease does",
                "give at least leases.serve_for and the time that reports take",
            );
        }
        if self.least_micros < 1
            || self.least_micros > self.most_micros
            || !(self.least_micros..=self.most_micros).contains(&self.first_micros)
        {
            faults.add(
                "leases.least_micros",
                "does not fit with first_micros and most_micros",
                "give 0 < least_micros <= first_micros <= most_micros",
            );
        }
        for (key, percent) in [
            ("leases.renew_used_percent", self.renew_used_percent),
            ("leases.renew_time_percent", self.renew_time_percent),
        ] {
            if !(1..=100).contains(&percent) {
                faults.add(key, "is no share of a whole", "give 1 to 100");
            }
        }
    }
}

impl Validate for Settings {
    fn validate(&self, faults: &mut Faults) {
        self.host.validate(faults);
        let schemes = ["sqlite:", "postgres:", "postgresql:", "mysql:", "mariadb:"];
        let known = |scheme: &&str| self.database.url.starts_with(scheme);
        if !schemes.iter().any(known) {
            faults.add(
                "database.url",
                "is of no kind that is known",
                "give sqlite://PATH, postgres://... or mysql://...",
            );
        }
        if self.database.connections == 0 {
            faults.add(
                "database.connections",
                "leaves no connection",
                "give at least 1",
            );
        }
        if self.delivery.zone().is_none() {
            faults.add(
                "delivery.time_zone",
                "is no IANA time zone",
                "give one such as \"Asia/Kolkata\" or \"UTC\"",
            );
        }
        for (key, period) in [
            ("watch.heartbeat", self.watch.heartbeat),
            ("watch.poll", self.watch.poll),
            ("peers.outbox_period", self.peers.outbox_period),
            ("leases.period", self.leases.period),
            ("leases.serve_for", self.leases.serve_for),
        ] {
            if period < SHORTEST {
                faults.add(key, "is too short to be kept", "give at least 10ms");
            }
        }
        self.leases.validate(faults);
    }
}
