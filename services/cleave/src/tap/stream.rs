//! The lines of a page of an admin port that has no end.

use std::net::SocketAddr;

use anyhow::{Context as _, Result, bail};
use bytes::Bytes;
use http_body_util::{BodyExt as _, Empty, Limited};
use hyper::body::Incoming;
use hyper_util::client::legacy::Client;
use hyper_util::rt::TokioExecutor;

/// The longest line: more than any the tap writes.
const LINE_BYTES: usize = 16 * 1024 * 1024;
/// The longest refusal that is read.
const REFUSAL_BYTES: usize = 4_096;

/// Lines as they arrive.
pub(super) struct Lines {
    body: Incoming,
    buffer: Vec<u8>,
}

/// Asks for a page.
pub(super) async fn open(admin: SocketAddr, path: &str) -> Result<Lines> {
    let client = Client::builder(TokioExecutor::new()).build_http::<Empty<Bytes>>();
    let uri = format!("http://{admin}{path}").parse()?;
    let answer = client.get(uri).await.context("cannot be reached")?;
    let (status, body) = (answer.status(), answer.into_body());
    if !status.is_success() {
        let told = Limited::new(body, REFUSAL_BYTES).collect().await;
        let told = told.map(|told| told.to_bytes()).unwrap_or_default();
        bail!("{status}: {}", String::from_utf8_lossy(&told).trim());
    }
    Ok(Lines {
        body,
        buffer: Vec::new(),
    })
}

impl Lines {
    /// The next line, without its end; `None` when there are no more.
    pub(super) async fn next(&mut self) -> Result<Option<String>> {
        loop {
            if let Some(end) = self.buffer.iter().position(|byte| *byte == b'\n') {
                let rest = self.buffer.split_off(end + 1);
                let mut line = std::mem::replace(&mut self.buffer, rest);
                line.pop();
                return Ok(Some(String::from_utf8(line).context("not text")?));
            }
            let Some(frame) = self.body.frame().await else {
                return Ok(None);
            };
            if let Ok(data) = frame.context("the connection was lost")?.into_data() {
                anyhow::ensure!(
                    self.buffer.len() + data.len() <= LINE_BYTES,
                    "a line is too long"
                );
                self.buffer.extend_from_slice(&data);
            }
        }
    }
}
