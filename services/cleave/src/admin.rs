//! What the admin port of a service tells.

use std::collections::BTreeMap;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use cleave_kernel::{Clock as _, ClockReading, SystemClock, Timestamp};
use http_body_util::{BodyExt as _, Empty, Limited};
use hyper::body::Bytes;
use hyper::{Request, StatusCode, header};
use hyper_util::rt::TokioIo;
use serde::Deserialize;
use tokio::net::TcpStream;

use crate::metrics::Exposition;

/// No page is longer than this; what is longer comes from something else.
const MAX_PAGE: usize = 32 * 1024 * 1024;

/// The admin port of a service.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct AdminPort {
    address: String,
    timeout: Duration,
}

/// The state of a service. Whatever an older release does not tell is as if there was nothing to tell.
#[derive(Debug, Clone, Deserialize)]
pub(crate) struct State {
    pub(crate) service: String,
    #[serde(default)]
    pub(crate) version: String,
    #[serde(default)]
    pub(crate) ready: bool,
    #[serde(default)]
    pub(crate) draining: bool,
    pub(crate) now: Option<Timestamp>,
    pub(crate) process: Option<Process>,
    #[serde(default)]
    pub(crate) probes: Vec<Probe>,
    #[serde(default)]
    pub(crate) tasks: BTreeMap<String, Task>,
    #[serde(default)]
    pub(crate) peers: Vec<Peer>,
    pub(crate) tls: Option<Tls>,
}

/// The process that a service runs in; two services may share one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Deserialize)]
pub(crate) struct Process {
    id: u32,
    started: Timestamp,
}

/// What a readiness probe last found.
#[derive(Debug, Clone, Deserialize)]
pub(crate) struct Probe {
    pub(crate) name: String,
    pub(crate) ok: bool,
    pub(crate) problem: Option<String>,
}

/// What is known of a task.
#[derive(Debug, Clone, Deserialize)]
pub(crate) struct Task {
    #[serde(default)]
    pub(crate) failures_in_a_row: u32,
    pub(crate) last_run: Option<Timestamp>,
    pub(crate) last_error: Option<String>,
    pub(crate) period_ms: Option<u64>,
    pub(crate) running_for_ms: Option<u64>,
}

/// What a service knows of a peer.
#[derive(Debug, Clone, Deserialize)]
pub(crate) struct Peer {
    pub(crate) name: String,
    #[serde(default)]
    pub(crate) replicas: Vec<Replica>,
    pub(crate) retry_tokens: Option<f64>,
    pub(crate) retry_budget: Option<u32>,
}

/// What a service knows of a replica of a peer.
#[derive(Debug, Clone, Deserialize)]
pub(crate) struct Replica {
    pub(crate) address: String,
    pub(crate) state: String,
    #[serde(default)]
    pub(crate) pending: u32,
    #[serde(default)]
    pub(crate) rtt_micros: u64,
    #[serde(default)]
    pub(crate) calls: u64,
    #[serde(default)]
    pub(crate) failures: u64,
    #[serde(default)]
    pub(crate) ejections: u64,
    pub(crate) last_error: Option<String>,
    pub(crate) contract: Option<Contract>,
}

/// How the contract of a replica looks to its caller.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Deserialize)]
pub(crate) struct Contract {
    /// `same`, `safe`, `conditional` or `unsafe`; absent when the replica does not tell.
    pub(crate) level: Option<String>,
    #[serde(default)]
    pub(crate) skews: Vec<Skew>,
}

/// A method that the replica knows differently.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Deserialize)]
pub(crate) struct Skew {
    pub(crate) method: String,
    pub(crate) level: String,
    #[serde(default)]
    pub(crate) differences: Vec<String>,
}

/// Who a service is.
#[derive(Debug, Clone, Deserialize)]
pub(crate) struct Tls {
    pub(crate) identity: Option<String>,
    pub(crate) not_after: i64,
}

impl State {
    /// How long its process has run, by its own clock.
    pub(crate) fn age(&self) -> Option<Duration> {
        Some(self.now?.since(self.process?.started))
    }
}

impl AdminPort {
    /// The port at `HOST:PORT`; a question that takes longer than `timeout` has failed.
    pub(crate) fn new(address: &str, timeout: Duration) -> Self {
        let address = address.strip_prefix("http://").unwrap_or(address);
        Self {
            address: address.trim_end_matches('/').to_owned(),
            timeout,
        }
    }

    /// Where it is.
    pub(crate) fn address(&self) -> &str {
        &self.address
    }

    /// The state of the service.
    pub(crate) async fn state(&self) -> Result<State> {
        let page = self.page("/mesh").await?;
        serde_json::from_slice(&page)
            .with_context(|| format!("what answers at {} is no admin port", self.address))
    }

    /// The state of the service, and its clock against the one here.
    pub(crate) async fn clock(&self) -> Result<Option<ClockReading>> {
        let sent = SystemClock.now();
        let state = self.state().await?;
        let received = SystemClock.now();
        Ok(state.now.map(|told| ClockReading {
            sent,
            told,
            received,
        }))
    }

    /// The metrics of the process.
    pub(crate) async fn metrics(&self) -> Result<Exposition> {
        let page = self.page("/metrics").await?;
        let text = std::str::from_utf8(&page).context("metrics that are not UTF-8")?;
        Exposition::parse(text).with_context(|| format!("the metrics of {}", self.address))
    }

    async fn page(&self, path: &str) -> Result<Bytes> {
        let fetched = tokio::time::timeout(self.timeout, self.fetch(path)).await;
        let fetched = fetched.with_context(|| format!("no answer within {:?}", self.timeout));
        fetched
            .and_then(|fetched| fetched)
            .with_context(|| format!("http://{}{path}", self.address))
    }

    async fn fetch(&self, path: &str) -> Result<Bytes> {
        let stream = TcpStream::connect(&self.address).await?;
        let (mut client, connection) =
            hyper::client::conn::http1::handshake(TokioIo::new(stream)).await?;
        let request = Request::get(path)
            .header(header::HOST, &self.address)
            .body(Empty::<Bytes>::new())?;
        let asking = async {
            let answer = client.send_request(request).await?;
            let code = answer.status();
            ensure!(code == StatusCode::OK, "answered {code}");
            let body = Limited::new(answer.into_body(), MAX_PAGE).collect().await;
            let body = body.map_err(|error| anyhow::anyhow!("{error}"))?;
            Ok(body.to_bytes())
        };
        tokio::select! {
            page = asking => page,
            Err(error) = connection => Err(error.into()),
        }
    }
}
