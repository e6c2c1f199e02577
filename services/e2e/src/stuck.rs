//! Clients that stop reading and stay connected.

use crate::{Fault, FaultProxy};
use anyhow::{Context as _, Result, ensure};
use std::net::SocketAddr;
use tokio::sync::mpsc;
use tokio_stream::wrappers::ReceiverStream;
use tonic::Streaming;
use tonic::transport::{Channel, Endpoint};
use tonic_health::pb::health_client::HealthClient;
use tonic_health::pb::{HealthCheckRequest, HealthCheckResponse};
use tonic_reflection::pb::v1::server_reflection_client::ServerReflectionClient;
use tonic_reflection::pb::v1::server_reflection_request::MessageRequest;
use tonic_reflection::pb::v1::{ServerReflectionRequest, ServerReflectionResponse};

/// More than a client ever grants: the service never has to wait before it sends.
const WINDOW: u32 = (1 << 31) - 1;
/// Answers of tens of kilobytes each: more than the system keeps for a client that does not read.
const QUESTIONS: usize = 1_000;
/// Of what the questions are about, the file says much.
const SYMBOL: &str = "cleave.billing.v1.LedgerService";

/// A client that is stuck until it is dropped.
#[derive(Debug)]
pub struct Stuck {
    // Everything is held, and nothing of it is polled.
    _proxy: FaultProxy,
    _stream: Unread,
}

#[derive(Debug)]
enum Unread {
    Health {
        _stream: Streaming<HealthCheckResponse>,
    },
    Reflection {
        _stream: Streaming<ServerReflectionResponse>,
    },
}

impl Stuck {
    /// A client that opened a watch, read its first word, and nothing since.
    ///
    /// # Errors
    /// When the service does not answer.
    pub async fn watching(service: SocketAddr) -> Result<Self> {
        let proxy = FaultProxy::start(service).await?;
        let mut client = HealthClient::new(connect(&proxy).await?);
        let watched = client.watch(HealthCheckRequest::default()).await?;
        let mut stream = watched.into_inner();
        stream.message().await?.context("the first word")?;
        proxy.set(Fault::Deaf);
        Ok(Self {
            _proxy: proxy,
            _stream: Unread::Health { _stream: stream },
        })
    }

    /// A client that asks for far more than it reads, so that the service has no room left to send.
    ///
    /// # Errors
    /// When the service does not answer.
    pub async fn flooded(service: SocketAddr) -> Result<Self> {
        let proxy = FaultProxy::start(service).await?;
        let mut client = ServerReflectionClient::new(connect(&proxy).await?);
        let (ask, questions) = mpsc::channel(QUESTIONS);
        let asked = client.server_reflection_info(ReceiverStream::new(questions));
        ask.send(question()).await?;
        let mut stream = asked.await?.into_inner();
        stream.message().await?.context("the first answer")?;
        proxy.set(Fault::Deaf);
        for _ in 0..QUESTIONS {
            ask.send(question()).await?;
        }
        ensure!(!ask.is_closed(), "the service hung up");
        Ok(Self {
            _proxy: proxy,
            _stream: Unread::Reflection { _stream: stream },
        })
    }
}

async fn connect(proxy: &FaultProxy) -> Result<Channel> {
    let endpoint = Endpoint::from_shared(format!("http://{}", proxy.addr()))?
        .initial_connection_window_size(WINDOW)
        .initial_stream_window_size(WINDOW);
    Ok(endpoint.connect().await?)
}

fn question() -> ServerReflectionRequest {
    ServerReflectionRequest {
        host: String::new(),
        message_request: Some(MessageRequest::FileContainingSymbol(SYMBOL.to_owned())),
    }
}
