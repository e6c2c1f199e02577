//! Sends a request on the stream that a call has taken.

use super::connection::Connection;
use super::endpoint::Endpoint;
use super::ticket::Ticket;
use crate::cause::Cause;
use crate::failure;
use crate::names::HOPS;
use bytes::{BufMut as _, Bytes, BytesMut};
use http::header::USER_AGENT;
use http::uri::{Authority, PathAndQuery, Scheme};
use http::{HeaderValue, Method, Uri, Version};
use http_body_util::{BodyExt as _, Full, Limited};
use hyper::body::Incoming;
use hyper::client::conn::TrySendError;
use prost::Message;
use tonic::body::Body;
use tonic::{Code, Status};

/// What the peer sees as its client.
const AGENT: HeaderValue =
    HeaderValue::from_static(concat!("cleave-mesh/", env!("CARGO_PKG_VERSION")));

/// A flag and a length of four bytes go before each message.
const PREFIX: usize = 5;
/// No answer to a question of the mesh's own is longer.
const MAX_ANSWER: usize = 1 << 20;

/// What the HTTP library says of a request.
type Outcome = Result<http::Response<Incoming>, TrySendError<http::Request<Body>>>;

/// What became of a request.
pub(crate) enum Sent {
    /// It was answered.
    Answered(http::Response<Body>),
    /// It never left: here it is again.
    Returned(Box<http::Request<Body>>),
    /// It failed.
    Lost(Lost),
}

/// A request without an answer.
pub(crate) struct Lost {
    pub(crate) status: Status,
    /// The peer certainly did nothing about it.
    pub(crate) unseen: bool,
}

impl Ticket {
    /// Sends the request to the replica, at once; the future tells what came of it.
    pub(crate) fn send(
        &self,
        mut request: http::Request<Body>,
    ) -> Result<impl Future<Output = Outcome> + use<>, Box<Sent>> {
        let Some(stream) = self.stream() else {
            return Err(Box::new(Sent::Returned(Box::new(request))));
        };
        match self.address_to(&mut request) {
            Ok(()) => Ok(stream.sender().try_send_request(request)),
            Err(status) => Err(Box::new(Sent::Lost(Lost {
                status,
                unseen: false,
            }))),
        }
    }

    /// What became of a request that was sent.
    pub(crate) fn sent(&self, outcome: Outcome, peer: &str) -> Sent {
        match outcome {
            Ok(response) => Sent::Answered(response.map(Body::new)),
            Err(mut error) => {
                if let Some(request) = error.take_message() {
                    if let Some(stream) = self.stream() {
                        stream.connection_is_closing();
                    }
                    return Sent::Returned(Box::new(request));
                }
                let error = error.into_error();
                Sent::Lost(Lost {
                    unseen: failure::is_unseen(&error),
                    status: failure::classify(&error, peer),
                })
            }
        }
    }

    /// Names the replica in the request.
    fn address_to(&self, request: &mut http::Request<Body>) -> Result<(), Status> {
        let path = request.uri().path_and_query().cloned();
        let path = path.unwrap_or_else(|| PathAndQuery::from_static("/"));
        *request.uri_mut() = absolute(self.scheme(), self.authority(), path)
            .map_err(|error| Cause::Unreachable.status(Code::Internal, error.to_string()))?;
        *request.version_mut() = Version::HTTP_2;
        request.headers_mut().insert(USER_AGENT, AGENT);
        Ok(())
    }
}

fn absolute(scheme: Scheme, authority: &Authority, path: PathAndQuery) -> Result<Uri, http::Error> {
    let mut parts = http::uri::Parts::default();
    parts.scheme = Some(scheme);
    parts.authority = Some(authority.clone());
    parts.path_and_query = Some(path);
    Ok(Uri::from_parts(parts)?)
}

/// A call with this message, for the mesh's own use.
pub(super) fn own_call(
    endpoint: &Endpoint,
    path: &'static str,
    message: &impl Message,
) -> Result<http::Request<Body>, http::Error> {
    let uri = absolute(
        endpoint.scheme(),
        &endpoint.authority,
        PathAndQuery::from_static(path),
    )?;
    let length = message.encoded_len();
    let mut bytes = BytesMut::with_capacity(PREFIX + length);
    bytes.put_u8(0);
    bytes.put_u32(u32::try_from(length).unwrap_or(u32::MAX));
    // There is room for it.
    let _ = message.encode(&mut bytes);
    let mut request = http::Request::new(Body::new(Full::new(bytes.freeze())));
    *request.method_mut() = Method::POST;
    *request.uri_mut() = uri;
    *request.version_mut() = Version::HTTP_2;
    let headers = request.headers_mut();
    headers.insert(USER_AGENT, AGENT);
    headers.insert(HOPS, endpoint.shared.hop.alone());
    headers.insert("te", HeaderValue::from_static("trailers"));
    let grpc = HeaderValue::from_static("application/grpc");
    headers.insert(http::header::CONTENT_TYPE, grpc);
    Ok(request)
}

/// A question of the mesh's own to the replica on a connection; `None` when there is no answer that makes sense.
pub(super) async fn ask<A: Message + Default>(
    endpoint: &Endpoint,
    connection: &Connection,
    path: &'static str,
    question: &impl Message,
) -> Option<A> {
    let request = own_call(endpoint, path, question).ok()?;
    let response = connection.sender().send_request(request).await.ok()?;
    let told = failure::code_in(response.headers());
    if told.is_some_and(|code| code != Code::Ok) || response.status() != http::StatusCode::OK {
        return None;
    }
    let body = Limited::new(response.into_body(), MAX_ANSWER);
    let body = body.collect().await.ok()?;
    let code = body.trailers().and_then(failure::code_in).or(told);
    if code != Some(Code::Ok) {
        return None;
    }
    decode(&body.to_bytes())
}

/// The one message of a body, which is not compressed.
fn decode<A: Message + Default>(bytes: &Bytes) -> Option<A> {
    let (prefix, message) = bytes.split_at_checked(PREFIX)?;
    let [0, length @ ..] = <[u8; PREFIX]>::try_from(prefix).ok()? else {
        return None;
    };
    let length = usize::try_from(u32::from_be_bytes(length)).ok()?;
    (message.len() == length).then(|| A::decode(message).ok())?
}
