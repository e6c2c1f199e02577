//! Follows what a replica's own health service says (gRPC's A17), for as long as a connection lasts.
//!
//! A replica that says it does not serve is passed over while others do. One without a health service is
//! taken to serve, and so is one that allows a single stream at a time: the watch would leave none for calls.

use super::connection::{Connection, Stream};
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
/// A health service that says nothing for so long is not waited for.
const FIRST_WORD: Duration = Duration::from_secs(1);
/// The wait before a watch that ended is opened again.
const AGAIN: Duration = Duration::from_secs(1);
/// A connection of fewer streams is left to calls.
const FEWEST_STREAMS: usize = 2;
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

/// Why a watch did not begin.
enum Unwatched {
    /// The replica has no health service.
    Absent,
    /// It did not answer, or not in time.
    Silent,
}

/// Follows the health of the replica on this connection.
pub(super) async fn watch(endpoint: Arc<Endpoint>, connection: Arc<Connection>) {
    while connection.is_open() {
        if connection.max_streams() < FEWEST_STREAMS {
            endpoint.health(true);
            return;
        }
        match open(&endpoint, &connection).await {
            Ok((body, _stream)) => follow(&endpoint, body).await,
            // Taken to serve: whether it does is for the breaker to find out.
            Err(unwatched) => {
                endpoint.health(true);
                if matches!(unwatched, Unwatched::Absent) {
                    return;
                }
            }
        }
        tokio::time::sleep(AGAIN).await;
    }
}

/// Opens the watch. It takes up its stream for as long as it lasts.
async fn open(
    endpoint: &Endpoint,
    connection: &Arc<Connection>,
) -> Result<(Incoming, Stream), Unwatched> {
    let stream = connection.take().ok_or(Unwatched::Silent)?;
    let request = own_call(endpoint, WATCH, &()).map_err(|_| Unwatched::Absent)?;
    let sending = stream.sender().send_request(request);
    let response = tokio::time::timeout(FIRST_WORD, sending)
        .await
        .map_err(|_| Unwatched::Silent)?
        .map_err(|_| Unwatched::Silent)?;
    match crate::failure::code_in(response.headers()) {
        None | Some(Code::Ok) => Ok((response.into_body(), stream)),
        Some(Code::Unimplemented) => Err(Unwatched::Absent),
        Some(code) => {
            tracing::debug!(endpoint = &*endpoint.address, ?code, "health is not told");
            Err(Unwatched::Silent)
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
pub(crate) fn next(bytes: &mut BytesMut) -> Option<i32> {
    let prefix: [u8; PREFIX] = bytes.get(..PREFIX)?.try_into().ok()?;
    let [_, a, b, c, d] = prefix;
    let length = usize::try_from(u32::from_be_bytes([a, b, c, d])).ok()?;
    let message = bytes.get(PREFIX..PREFIX.checked_add(length)?)?;
    let status = <HealthCheckResponse as prost::Message>::decode(message).map(|told| told.status);
    bytes.advance(PREFIX + length);
    Some(status.unwrap_or_default())
}
