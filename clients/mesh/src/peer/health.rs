//! Follows what a replica's own health service says (gRPC's A17), for as long as a connection lasts.
//!
//! A replica that says it does not serve is passed over while others do. One without a health service is
//! taken to serve.

use super::connection::Connection;
use super::endpoint::Endpoint;
use super::send::own_call;
use bytes::{Buf, BytesMut};
use http_body_util::BodyExt as _;
use hyper::body::Incoming;
use std::sync::Arc;
use std::time::Duration;
use tonic::Code;

/// The method that is watched.
const WATCH: &str = "/grpc.health.v1.Health/Watch";
/// A health service that says nothing for so long is taken not to exist.
const FIRST_WORD: Duration = Duration::from_secs(1);
/// The wait before a watch that ended is opened again.
const AGAIN: Duration = Duration::from_secs(1);
/// A flag and a length of four bytes go before each message.
const PREFIX: usize = 5;
/// No answer of a health service is longer.
const MAX_MESSAGE: usize = 1_024;

/// What the health service answers.
#[derive(Clone, PartialEq, prost::Message)]
struct HealthCheckResponse {
    #[prost(int32, tag = "1")]
    status: i32,
}

/// The status that means "serves".
const SERVING: i32 = 1;

/// Follows the health of the replica on this connection.
pub(super) async fn watch(endpoint: Arc<Endpoint>, connection: Arc<Connection>) {
    loop {
        match open(&endpoint, &connection).await {
            Some(body) => follow(&endpoint, body).await,
            None => {
                endpoint.health(true);
                return;
            }
        }
        tokio::time::sleep(AGAIN).await;
        if !connection.is_open() {
            return;
        }
    }
}

/// Opens the watch; `None` when the replica has no health service, or none that answers.
async fn open(endpoint: &Endpoint, connection: &Arc<Connection>) -> Option<Incoming> {
    let stream = connection.take()?;
    let request = own_call(&endpoint.authority, WATCH, &()).ok()?;
    let sending = stream.sender().send_request(request);
    let response = tokio::time::timeout(FIRST_WORD, sending).await.ok()?.ok()?;
    match crate::failure::code_in(response.headers()) {
        None | Some(Code::Ok) => Some(response.into_body()),
        Some(code) => {
            tracing::debug!(endpoint = &*endpoint.address, ?code, "health is not told");
            None
        }
    }
}

/// Takes note of each word until the watch ends.
async fn follow(endpoint: &Endpoint, mut body: Incoming) {
    let mut bytes = BytesMut::new();
    while let Some(Ok(frame)) = body.frame().await {
        let Ok(data) = frame.into_data() else { return };
        bytes.extend_from_slice(&data);
        while let Some(status) = next(&mut bytes) {
            endpoint.health(status == SERVING);
        }
        if bytes.len() > MAX_MESSAGE {
            return;
        }
    }
}

/// The next whole message, taken off the front.
fn next(bytes: &mut BytesMut) -> Option<i32> {
    let prefix: [u8; PREFIX] = bytes.get(..PREFIX)?.try_into().ok()?;
    let [_, a, b, c, d] = prefix;
    let length = usize::try_from(u32::from_be_bytes([a, b, c, d])).ok()?;
    let message = bytes.get(PREFIX..PREFIX.checked_add(length)?)?;
    let status = <HealthCheckResponse as prost::Message>::decode(message).map(|told| told.status);
    bytes.advance(PREFIX + length);
    Some(status.unwrap_or_default())
}
