//! `health`: the standard check against a running service, with the exit codes of `grpc_health_probe`.

use crate::config::{HostSettings, duration};
use crate::inquiry::{Inquiry, InquiryError, ServingStatus};
use clap::Args;
use cleave_mesh::tls::Workload;
use std::io::Write as _;
use std::time::Duration;

/// The arguments make no sense.
const EXIT_ARGUMENTS: u8 = 1;
/// Nobody could be reached.
const EXIT_CONNECT: u8 = 2;
/// The check itself failed.
const EXIT_RPC: u8 = 3;
/// The service does not serve.
const EXIT_NOT_SERVING: u8 = 4;

/// What to ask whom.
#[derive(Debug, Args)]
pub(super) struct Check {
    /// The service to ask for; all of them when absent, "liveness" for the process alone
    #[arg(long, default_value = "")]
    service: String,
    /// The address to ask; the configured host.listen when absent
    #[arg(long, value_name = "ADDR")]
    address: Option<String>,
    /// How long to wait for the connection and for the answer
    #[arg(long, default_value = "2s", value_parser = parse_duration)]
    timeout: Duration,
}

pub(super) fn parse_duration(text: &str) -> Result<Duration, String> {
    duration::parse(text).ok_or_else(|| "give a duration such as 500ms or 2s".to_owned())
}

impl Check {
    /// Asks, and says on standard output what came of it.
    pub(super) async fn run(self, host: &HostSettings) -> u8 {
        let address = self.address.as_deref().unwrap_or(&host.listen);
        let credentials = match host.tls.credentials() {
            Ok(credentials) => credentials,
            Err(error) => {
                eprintln!("host.tls: {error:#}");
                return EXIT_ARGUMENTS;
            }
        };
        // The check shows the same certificate as the service, and expects it at the other end.
        let current = credentials
            .as_ref()
            .map(|credentials| credentials.current());
        let own = current.as_ref().and_then(|current| current.workload());
        let inquiry = Inquiry {
            workload: own.map_or("service", Workload::name),
            address,
            credentials: credentials.clone(),
            service: &self.service,
            timeout: self.timeout,
        };
        match inquiry.ask().await {
            Ok(status) => {
                // The exit code says it too, should nobody read this.
                let _ = writeln!(std::io::stdout(), "{}", status.as_str_name());
                match status {
                    ServingStatus::Serving => 0,
                    _ => EXIT_NOT_SERVING,
                }
            }
            Err(error) => {
                eprintln!("{address}: {error}");
                if let Some(mend) = error.mend() {
                    eprintln!("hint: {mend}");
                }
                match error {
                    InquiryError::Question(_) => EXIT_ARGUMENTS,
                    InquiryError::Connection(_) => EXIT_CONNECT,
                    InquiryError::Answer(_) => EXIT_RPC,
                }
            }
        }
    }
}
