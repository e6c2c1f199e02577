//! The ways of calling that are compared.

use super::secure::{CALLER, SERVER};
use super::{ACCOUNT, Secure};
use anyhow::{Context, Result, ensure};
use bytes::{BufMut, Bytes, BytesMut};
use clap::ValueEnum;
use cleave_contracts::billing::v1 as pb;
use cleave_mesh::{Mesh, MeshChannel};
use http::{Request, uri::Uri};
use http_body_util::{BodyExt, Full};
use hyper::client::conn::http2::{self, SendRequest};
use hyper_util::rt::{TokioExecutor, TokioIo};
use pb::account_service_client::AccountServiceClient;
use prost::Message;
use serde::Serialize;
use std::sync::Arc;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::rustls::pki_types::ServerName;
use tonic::transport::Channel;

/// The method that is called.
const METHOD: &str = "/cleave.billing.v1.AccountService/GetAccount";

/// A way of calling.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum, Serialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Kind {
    /// hyper's HTTP/2 client, and nothing of gRPC but its bytes.
    Hyper,
    /// A generated client on one channel of tonic, to one server.
    Tonic,
    /// The same client on the mesh, with every layer on.
    Mesh,
}

impl Kind {
    /// All of them, in the order of their turns.
    pub(crate) const ALL: [Self; 3] = [Self::Hyper, Self::Tonic, Self::Mesh];

    /// Its name.
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Hyper => "hyper",
            Self::Tonic => "tonic",
            Self::Mesh => "mesh",
        }
    }
}

/// A way of calling, ready for calls. Cheap to clone.
#[derive(Clone)]
pub(crate) enum Client {
    Hyper(Vec<(SendRequest<Full<Bytes>>, Uri)>, Bytes),
    Tonic(AccountServiceClient<Channel>),
    Mesh(AccountServiceClient<MeshChannel>),
}

impl Client {
    /// Prepares to call the servers at `addresses`; must run on the caller's runtime.
    pub(crate) async fn new(
        kind: Kind,
        addresses: &[String],
        secure: Option<&Secure>,
    ) -> Result<Self> {
        let scheme = secure.map_or("http", |_| "https");
        Ok(match kind {
            Kind::Hyper => {
                let mut senders = Vec::new();
                for address in addresses {
                    senders.push(connect(address, secure).await?);
                }
                Self::Hyper(senders, message())
            }
            Kind::Tonic => {
                let first = addresses.first().context("there is a server")?;
                let channel = Channel::from_shared(format!("{scheme}://{first}"))?;
                let mut channel = channel.tcp_nodelay(true);
                if let Some(secure) = secure {
                    channel = channel.tls_config(secure.client()?)?;
                }
                let channel = channel.connect().await?;
                Self::Tonic(AccountServiceClient::new(channel))
            }
            Kind::Mesh => {
                let urls = addresses.iter().map(|addr| format!("{scheme}://{addr}"));
                let mesh = Mesh::builder(cleave_contracts::POLICIES)
                    .caller(CALLER)
                    .credentials(secure.map(Secure::credentials).transpose()?)
                    .peer(SERVER, &urls.collect::<Vec<_>>().join(","))
                    .build()?;
                Self::Mesh(AccountServiceClient::new(mesh.to(SERVER)?))
            }
        })
    }

    /// Caller `number` makes a call and reads the answer to its end.
    pub(crate) async fn call(&mut self, number: usize) -> Result<()> {
        let key = || pb::get_account_request::Key::OpsRef(ACCOUNT.to_owned());
        match self {
            Self::Hyper(senders, message) => {
                let count = senders.len();
                let (sender, uri) = &mut senders[number % count];
                exchange(sender, uri, message.clone()).await
            }
            Self::Tonic(client) => {
                let request = pb::GetAccountRequest { key: Some(key()) };
                client.get_account(request).await?;
                Ok(())
            }
            Self::Mesh(client) => {
                let request = pb::GetAccountRequest { key: Some(key()) };
                client.get_account(request).await?;
                Ok(())
            }
        }
    }
}

async fn connect(
    address: &str,
    secure: Option<&Secure>,
) -> Result<(SendRequest<Full<Bytes>>, Uri)> {
    let stream = TcpStream::connect(address).await?;
    stream.set_nodelay(true)?;
    let uri = |scheme| format!("{scheme}://{address}{METHOD}").parse();
    let Some(secure) = secure else {
        return Ok((handshake(stream).await?, uri("http")?));
    };
    let config = secure.credentials()?.current().client(SERVER)?;
    let name = ServerName::try_from(SERVER)?;
    let stream = TlsConnector::from(Arc::new(config)).connect(name, stream);
    Ok((handshake(stream.await?).await?, uri("https")?))
}

async fn handshake(
    stream: impl AsyncRead + AsyncWrite + Send + Unpin + 'static,
) -> Result<SendRequest<Full<Bytes>>> {
    let (sender, connection) = http2::Builder::new(TokioExecutor::new())
        .handshake(TokioIo::new(stream))
        .await?;
    tokio::spawn(connection);
    Ok(sender)
}

/// The request as it goes over the wire.
fn message() -> Bytes {
    let key = pb::get_account_request::Key::OpsRef(ACCOUNT.to_owned());
    let encoded = pb::GetAccountRequest { key: Some(key) }.encode_to_vec();
    let mut message = BytesMut::new();
    message.put_u8(0);
    message.put_u32(u32::try_from(encoded.len()).unwrap_or(u32::MAX));
    message.extend_from_slice(&encoded);
    message.freeze()
}

async fn exchange(sender: &mut SendRequest<Full<Bytes>>, uri: &Uri, message: Bytes) -> Result<()> {
    let request = Request::post(uri.clone())
        .header("content-type", "application/grpc")
        .header("te", "trailers")
        .body(Full::new(message))?;
    sender.ready().await?;
    let mut body = sender.send_request(request).await?.into_body();
    let mut fine = false;
    while let Some(frame) = body.frame().await {
        if let Some(trailers) = frame?.trailers_ref() {
            fine = trailers.get("grpc-status").is_some_and(|code| code == "0");
        }
    }
    ensure!(fine, "the call failed");
    Ok(())
}
