//! The sections that every service has.

use super::admission::AdmissionSettings;
use super::duration;
use super::fault::Faults;
use super::loader::Validate;
use super::peers::LookupSettings;
use super::tls::TlsSettings;
use serde::Deserialize;
use std::net::SocketAddr;
use std::time::Duration;

/// More threads than this are a mistake.
const MAX_WORKERS: usize = 1_024;
/// HTTP/2 itself allows no longer message.
const MAX_MESSAGE_BYTES: usize = 1 << 30;

/// Where and how a service listens; the keys are documented in the defaults.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct HostSettings {
    /// Address of the gRPC port.
    pub listen: String,
    /// Address of the admin port.
    pub admin: String,
    /// Whether other machines may see messages and change what is logged.
    pub admin_remote_control: bool,
    /// Whether plaintext is allowed beyond loopback.
    pub allow_plaintext: bool,
    /// Threads that serve calls; 0 takes one per core.
    pub workers: usize,
    /// Largest message, either way.
    pub max_message_bytes: usize,
    /// Most metadata of one call.
    pub max_metadata_bytes: u32,
    /// Most calls in flight on one connection.
    pub max_streams: u32,
    /// Most connections open at one time.
    pub max_connections: usize,
    /// How long a client may take to shake hands.
    #[serde(with = "duration")]
    pub handshake_timeout: Duration,
    /// How long a message may take to arrive.
    #[serde(with = "duration")]
    pub message_timeout: Duration,
    /// After which time a connection is replaced; zero is never.
    #[serde(with = "duration")]
    pub max_connection_age: Duration,
    /// What the calls on a connection get to end.
    #[serde(with = "duration")]
    pub max_connection_grace: Duration,
    /// After which time without calls a connection is closed; zero is never.
    #[serde(with = "duration")]
    pub max_connection_idle: Duration,
    /// The longest that a unary call may take.
    #[serde(with = "duration")]
    pub max_timeout: Duration,
    /// How often a connection is pinged.
    #[serde(with = "duration")]
    pub keepalive_interval: Duration,
    /// How long a ping may stay unanswered.
    #[serde(with = "duration")]
    pub keepalive_timeout: Duration,
    /// How often the readiness probes run.
    #[serde(with = "duration")]
    pub probe_period: Duration,
    /// How long a readiness probe may take.
    #[serde(with = "duration")]
    pub probe_timeout: Duration,
    /// How long one tick of a task may take before the service is not ready.
    #[serde(with = "duration")]
    pub task_patience: Duration,
    /// How long calls are still accepted once the end has begun.
    #[serde(with = "duration")]
    pub lame_duck: Duration,
    /// How long the end may take.
    #[serde(with = "duration")]
    pub drain_cap: Duration,
    /// Who the service is, and whom it believes.
    pub tls: TlsSettings,
    /// How much work the service takes on.
    pub admission: AdmissionSettings,
    /// How the services that are called are looked up.
    pub peers: LookupSettings,
}

/// How logs are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum LogFormat {
    /// Human on a terminal, JSON otherwise.
    Auto,
    /// Lines for people.
    Human,
    /// One JSON object a line.
    Json,
}

/// What a service says about itself.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TelemetrySettings {
    /// Level or directives.
    pub level: String,
    /// How lines are written.
    pub format: LogFormat,
    /// How often the database is asked for figures.
    #[serde(with = "super::duration")]
    pub figures: Duration,
    /// Where traces and metrics are sent.
    pub otlp: OtlpSettings,
}

/// Where traces and metrics are sent. By default nowhere.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct OtlpSettings {
    /// The collector's gRPC address; empty for none.
    pub endpoint: String,
    /// How many of a hundred traces are sent.
    pub percent: u8,
    /// How long a batch may take to be sent.
    #[serde(with = "super::duration")]
    pub timeout: Duration,
    /// How long a step waits at most to be sent.
    #[serde(with = "super::duration")]
    pub delay: Duration,
    /// How often metrics are sent.
    #[serde(with = "super::duration")]
    pub interval: Duration,
}

impl HostSettings {
    /// The parsed address of the gRPC port, once validated.
    pub(crate) fn listen_addr(&self) -> Option<SocketAddr> {
        self.listen.parse().ok()
    }

    /// The parsed address of the admin port, once validated.
    pub(crate) fn admin_addr(&self) -> Option<SocketAddr> {
        self.admin.parse().ok()
    }
}

impl Validate for HostSettings {
    fn validate(&self, faults: &mut Faults) {
        let listen = address("host.listen", &self.listen, faults);
        let plaintext = !self.tls.is_on() && !self.allow_plaintext;
        if plaintext && listen.is_some_and(|addr| !addr.ip().is_loopback()) {
            faults.add(
                "host.listen",
                format!(
                    "{} is reachable from outside, and the port speaks plaintext",
                    self.listen
                ),
                "listen on a loopback address, give host.tls.certificate, or set \
                 host.allow_plaintext = true",
            );
        }
        address("host.admin", &self.admin, faults);
        if self.workers > MAX_WORKERS {
            faults.add(
                "host.workers",
                "too many threads",
                format!("at most {MAX_WORKERS}"),
            );
        }
        if self.max_message_bytes == 0 || self.max_message_bytes > MAX_MESSAGE_BYTES {
            faults.add(
                "host.max_message_bytes",
                "out of range",
                "between 1 and 1073741824",
            );
        }
        if self.max_metadata_bytes < 1_024 {
            faults.add(
                "host.max_metadata_bytes",
                "too small for any call",
                "at least 1024",
            );
        }
        if self.max_streams == 0 {
            faults.add("host.max_streams", "no call could be made", "at least 1");
        }
        if self.max_connections == 0 {
            faults.add("host.max_connections", "nobody could connect", "at least 1");
        }
        self.validate_durations(faults);
        self.tls.validate(faults);
        self.admission.validate(faults);
        self.peers.validate(faults);
    }
}

impl HostSettings {
    fn validate_durations(&self, faults: &mut Faults) {
        for (key, value) in [
            ("host.max_timeout", self.max_timeout),
            ("host.keepalive_interval", self.keepalive_interval),
            ("host.keepalive_timeout", self.keepalive_timeout),
            ("host.handshake_timeout", self.handshake_timeout),
            ("host.message_timeout", self.message_timeout),
            ("host.max_connection_grace", self.max_connection_grace),
            ("host.probe_period", self.probe_period),
            ("host.probe_timeout", self.probe_timeout),
            ("host.task_patience", self.task_patience),
            ("host.drain_cap", self.drain_cap),
        ] {
            if value.is_zero() {
                faults.add(key, "must not be zero", "give a duration such as \"10s\"");
            }
        }
        if self.lame_duck >= self.drain_cap {
            faults.add(
                "host.lame_duck",
                "not shorter than host.drain_cap",
                "give less",
            );
        }
    }
}

fn address(key: &str, text: &str, faults: &mut Faults) -> Option<SocketAddr> {
    let parsed = text.parse();
    if parsed.is_err() {
        faults.add(
            key,
            format!("{text:?} is not an address"),
            "give HOST:PORT with a numeric host",
        );
    }
    parsed.ok()
}

impl Validate for OtlpSettings {
    fn validate(&self, faults: &mut Faults) {
        let endpoint: Result<http::Uri, _> = self.endpoint.parse();
        let plain = endpoint.is_ok_and(|uri| uri.scheme_str() == Some("http"));
        if !self.endpoint.is_empty() && !plain {
            faults.add(
                "telemetry.otlp.endpoint",
                "is not a plain http:// address",
                "give that of a collector beside the service, such as \"http://127.0.0.1:4317\"",
            );
        }
        if self.percent > 100 {
            faults.add("telemetry.otlp.percent", "more than all", "0 to 100");
        }
        for (key, value) in [
            ("telemetry.otlp.timeout", self.timeout),
            ("telemetry.otlp.delay", self.delay),
            ("telemetry.otlp.interval", self.interval),
        ] {
            if value.is_zero() {
                faults.add(key, "must not be zero", "give a duration such as \"2s\"");
            }
        }
    }
}

impl Validate for TelemetrySettings {
    fn validate(&self, faults: &mut Faults) {
        self.otlp.validate(faults);
        if self.figures < Duration::from_millis(10) {
            faults.add(
                "telemetry.figures",
                "is too short to be kept",
                "give at least 10ms",
            );
        }
        if let Err(error) = tracing_subscriber::EnvFilter::try_new(&self.level) {
            faults.add(
                "telemetry.level",
                error.to_string(),
                "give a level such as \"info\"",
            );
        }
    }
}
