//! `health`: the standard check against a running service, with the exit codes of `grpc_health_probe`.

use crate::config::{HostSettings, TlsSettings, duration};
use crate::health::pb::HealthCheckRequest;
use crate::health::pb::health_check_response::ServingStatus;
use crate::health::pb::health_client::HealthClient;
use clap::Args;
use cleave_mesh::tls::Workload;
use hyper_util::rt::TokioIo;
use rustls::ClientConfig;
use rustls::pki_types::ServerName;
use std::io::Write as _;
use std::net::{IpAddr, Ipv4Addr};
use std::sync::Arc;
use std::time::Duration;
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tonic::transport::{Channel, Endpoint};

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
        let address = self.address.unwrap_or_else(|| host.listen.clone());
        let Ok(endpoint) = Endpoint::from_shared(format!("http://{address}")) else {
            eprintln!("{address} is not an address");
            return EXIT_ARGUMENTS;
        };
        let identity = match identity(&host.tls) {
            Ok(identity) => identity,
            Err(error) => {
                eprintln!("host.tls: {error:#}");
                return EXIT_ARGUMENTS;
            }
        };
        let connecting = connect(endpoint, address.clone(), identity);
        let connected = tokio::time::timeout(self.timeout, connecting).await;
        let Ok(Ok(channel)) = connected else {
            eprintln!("{address} cannot be reached");
            return EXIT_CONNECT;
        };
        let request = HealthCheckRequest {
            service: self.service,
        };
        let mut client = HealthClient::new(channel);
        let status = match tokio::time::timeout(self.timeout, client.check(request)).await {
            Ok(Ok(answer)) => answer.into_inner().status(),
            Ok(Err(status)) => {
                eprintln!("{address}: {:?}: {}", status.code(), status.message());
                return EXIT_RPC;
            }
            Err(_) => {
                eprintln!("{address}: no answer within {:?}", self.timeout);
                return EXIT_RPC;
            }
        };
        // The exit code says it too, should nobody read this.
        let _ = writeln!(std::io::stdout(), "{}", status.as_str_name());
        match status {
            ServingStatus::Serving => 0,
            _ => EXIT_NOT_SERVING,
        }
    }
}

/// What the service itself goes by: the check shows the same certificate, and expects it at the other end.
fn identity(settings: &TlsSettings) -> anyhow::Result<Option<ClientConfig>> {
    let Some(credentials) = settings.credentials()? else {
        return Ok(None);
    };
    let current = credentials.current();
    let own = current.workload().map(Workload::name).unwrap_or_default();
    Ok(Some(current.client(own)?))
}

async fn connect(
    endpoint: Endpoint,
    address: String,
    identity: Option<ClientConfig>,
) -> Result<Channel, tonic::transport::Error> {
    let Some(config) = identity else {
        return endpoint.connect().await;
    };
    let connector = TlsConnector::from(Arc::new(config));
    let dial = tower::service_fn(move |_| {
        let (connector, address) = (connector.clone(), address.clone());
        async move {
            let stream = TcpStream::connect(address).await?;
            // The workload is checked, not this name.
            let name = ServerName::from(IpAddr::from(Ipv4Addr::UNSPECIFIED));
            connector.connect(name, stream).await.map(TokioIo::new)
        }
    });
    endpoint.connect_with_connector(dial).await
}
