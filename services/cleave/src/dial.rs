//! A connection to a service as an operator makes it: one, with a bound on every step.

use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, Result, bail};
use hyper_util::rt::TokioIo;
use rustls::ClientConfig;
use rustls::pki_types::ServerName;
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tonic::transport::{Channel, Endpoint};
use tonic_health::pb::HealthCheckRequest;
use tonic_health::pb::health_check_response::ServingStatus;
use tonic_health::pb::health_client::HealthClient;

/// Checked by nobody: with TLS it is the workload that counts.
const ANY_NAME: &str = "workload.invalid";

/// Connects and asks for the health of the whole service; an answer other than SERVING is an error.
pub(crate) async fn health(
    address: &str,
    tls: Option<ClientConfig>,
    timeout: Duration,
) -> Result<()> {
    let asked = tokio::time::timeout(timeout, ask(address, tls)).await;
    match asked.with_context(|| format!("no answer within {timeout:?}"))?? {
        ServingStatus::Serving => Ok(()),
        status => bail!("it says {}", status.as_str_name()),
    }
}

async fn ask(address: &str, tls: Option<ClientConfig>) -> Result<ServingStatus> {
    let channel = connect(address, tls).await?;
    let request = HealthCheckRequest::default();
    let answer = HealthClient::new(channel).check(request).await;
    let answer = answer.map_err(|status| match root(&status) {
        // A handshake that was refused shows in the first call.
        Some(cause) => anyhow::anyhow!("{cause}"),
        None => anyhow::anyhow!("{:?}: {}", status.code(), status.message()),
    })?;
    Ok(answer.into_inner().status())
}

async fn connect(address: &str, tls: Option<ClientConfig>) -> Result<Channel> {
    let endpoint = Endpoint::from_static("http://workload.invalid");
    let connector = tls.map(|config| TlsConnector::from(Arc::new(config)));
    let address = address.to_owned();
    // The addresses of peers are dialed as they are configured, not as the endpoint is called.
    let dial = tower::service_fn(move |_: tonic::transport::Uri| {
        let (connector, address) = (connector.clone(), address.clone());
        async move {
            let stream = TcpStream::connect(address).await?;
            let io: Box<dyn Io> = match connector {
                None => Box::new(stream),
                Some(connector) => {
                    let name = ServerName::try_from(ANY_NAME).map_err(std::io::Error::other)?;
                    Box::new(connector.connect(name, stream).await?)
                }
            };
            std::io::Result::Ok(TokioIo::new(io))
        }
    });
    let connected = endpoint.connect_with_connector(dial).await;
    connected.map_err(|error| match root(&error) {
        Some(cause) => anyhow::anyhow!("{cause}"),
        None => error.into(),
    })
}

trait Io: tokio::io::AsyncRead + tokio::io::AsyncWrite + Unpin + Send {}

impl<T: tokio::io::AsyncRead + tokio::io::AsyncWrite + Unpin + Send> Io for T {}

/// The innermost cause, which is the one that tells people something.
fn root(error: &dyn std::error::Error) -> Option<String> {
    let mut cause = error.source()?;
    while let Some(inner) = cause.source() {
        cause = inner;
    }
    Some(cause.to_string())
}
