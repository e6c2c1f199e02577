//! A peer that follows a script, and the client that calls it.

use bytes::Bytes;
use cleave_mesh::policy::{
    Code, HedgingPolicy, Idempotency, MethodPolicy, OnUnavailable, PolicyTable, RetryPolicy,
};
use cleave_mesh::{Mesh, MeshChannel};
use futures::StreamExt as _;
use futures::future::BoxFuture;
use futures::stream;
use http::{HeaderMap, HeaderValue, Request, Response};
use http_body::Frame;
use http_body_util::StreamBody;
use std::convert::Infallible;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll};
use std::time::Duration;
use tokio::net::TcpListener;
use tokio_stream::wrappers::TcpListenerStream;
use tonic::body::Body;
use tonic::{Status, Streaming};
use tonic_prost::ProstCodec;

const RETRY: Option<RetryPolicy> = Some(RetryPolicy {
    max_attempts: 4,
    codes: &[Code::Unavailable, Code::ResourceExhausted],
    initial_backoff: Duration::from_millis(2),
    max_backoff: Duration::from_millis(5),
    multiplier_percent: 200,
});

/// The contract of the scripted peer.
pub(crate) static POLICIES: PolicyTable = PolicyTable::new(&[
    MethodPolicy {
        on_unavailable: OnUnavailable::Cache {
            max_age: Duration::from_millis(50),
        },
        ..MethodPolicy::new("/test.Script/Fleeting")
    },
    MethodPolicy {
        timeout: Some(Duration::from_secs(20)),
        hedging: Some(HedgingPolicy {
            max_attempts: 2,
            delay: Duration::from_millis(20),
            non_fatal_codes: &[Code::Unavailable],
        }),
        idempotency: Idempotency::NoSideEffects,
        ..MethodPolicy::new("/test.Script/Hedged")
    },
    // One whose copies a test need not expect.
    MethodPolicy {
        timeout: Some(Duration::from_secs(20)),
        hedging: Some(HedgingPolicy {
            max_attempts: 2,
            delay: Duration::from_secs(10),
            non_fatal_codes: &[],
        }),
        idempotency: Idempotency::NoSideEffects,
        ..MethodPolicy::new("/test.Script/HedgedLate")
    },
    MethodPolicy {
        on_unavailable: OnUnavailable::Cache {
            max_age: Duration::from_secs(60),
        },
        idempotency: Idempotency::NoSideEffects,
        ..MethodPolicy::new("/test.Script/Kept")
    },
    MethodPolicy {
        timeout: Some(Duration::from_secs(20)),
        retry: RETRY,
        idempotency: Idempotency::NoSideEffects,
        ..MethodPolicy::new("/test.Script/Read")
    },
    MethodPolicy {
        timeout: Some(Duration::from_millis(150)),
        ..MethodPolicy::new("/test.Script/Short")
    },
    MethodPolicy {
        server_streaming: true,
        retry: RETRY,
        idempotency: Idempotency::NoSideEffects,
        ..MethodPolicy::new("/test.Script/Watch")
    },
    // Retries on a method that promises nothing do not pass the contracts' build; the channel holds
    // against them as well.
    MethodPolicy {
        timeout: Some(Duration::from_secs(20)),
        retry: RETRY,
        ..MethodPolicy::new("/test.Script/Write")
    },
]);

type Handler = dyn Fn(usize, Request<Body>) -> BoxFuture<'static, Response<Body>> + Send + Sync;

/// A server whose answer to the n-th call is what the script says.
#[derive(Clone)]
struct Script {
    seen: Arc<Mutex<Vec<HeaderMap>>>,
    handler: Arc<Handler>,
}

impl tonic::server::NamedService for Script {
    const NAME: &'static str = "test.Script";
}

impl tower::Service<Request<Body>> for Script {
    type Response = Response<Body>;
    type Error = Infallible;
    type Future = BoxFuture<'static, Result<Response<Body>, Infallible>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<Body>) -> Self::Future {
        let mut seen = self.seen.lock().expect("not poisoned");
        seen.push(request.headers().clone());
        let answer = (self.handler)(seen.len(), request);
        Box::pin(async move { Ok(answer.await) })
    }
}

/// A running peer and a channel to it.
pub(crate) struct Peer {
    pub(crate) channel: MeshChannel,
    pub(crate) address: SocketAddr,
    seen: Arc<Mutex<Vec<HeaderMap>>>,
}

impl Peer {
    /// Starts a peer; the handler gets the number of the call, from one.
    pub(crate) async fn start<F, R>(handler: F) -> Self
    where
        F: Fn(usize, Request<Body>) -> R + Send + Sync + 'static,
        R: Future<Output = Response<Body>> + Send + 'static,
    {
        let handler =
            Arc::new(move |n, request| -> BoxFuture<'static, _> { Box::pin(handler(n, request)) });
        let script = Script {
            seen: Arc::default(),
            handler,
        };
        let seen = Arc::clone(&script.seen);
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("bind");
        let address = listener.local_addr().expect("address");
        tokio::spawn(async move {
            let incoming = TcpListenerStream::new(listener);
            let server = tonic::transport::Server::builder().add_service(script);
            server.serve_with_incoming(incoming).await.expect("serve");
        });
        Self {
            channel: channel(&address.to_string()),
            address,
            seen,
        }
    }

    /// The headers of every attempt that arrived.
    pub(crate) fn attempts(&self) -> Vec<HeaderMap> {
        self.seen.lock().expect("not poisoned").clone()
    }
}

/// A channel to whatever is at this address.
pub(crate) fn channel(address: &str) -> MeshChannel {
    let mesh = Mesh::builder(POLICIES)
        .caller("tester")
        .peer("script", address)
        .build();
    mesh.expect("mesh").to("script").expect("peer")
}

/// Calls a unary method.
pub(crate) async fn unary(
    channel: &MeshChannel,
    method: &str,
    text: &str,
) -> Result<String, Status> {
    call(channel, method, tonic::Request::new(text.to_owned())).await
}

/// Calls a unary method with metadata of the caller's own.
pub(crate) async fn call(
    channel: &MeshChannel,
    method: &str,
    request: tonic::Request<String>,
) -> Result<String, Status> {
    full(channel, method, request)
        .await
        .map(tonic::Response::into_inner)
}

/// The same with all that comes with the answer.
pub(crate) async fn full(
    channel: &MeshChannel,
    method: &str,
    request: tonic::Request<String>,
) -> Result<tonic::Response<String>, Status> {
    let mut grpc = tonic::client::Grpc::new(channel.clone());
    let path = format!("/test.Script/{method}").try_into().expect("path");
    let codec = ProstCodec::<String, String>::default();
    grpc.ready().await?;
    grpc.unary(request, path, codec).await
}

/// Opens a server stream.
pub(crate) async fn watch(
    channel: &MeshChannel,
    request: tonic::Request<String>,
) -> Result<Streaming<String>, Status> {
    let mut grpc = tonic::client::Grpc::new(channel.clone());
    let path = http::uri::PathAndQuery::from_static("/test.Script/Watch");
    let codec = ProstCodec::<String, String>::default();
    grpc.ready().await?;
    grpc.server_streaming(request, path, codec)
        .await
        .map(tonic::Response::into_inner)
}

/// One message as it goes over the wire.
fn frame(text: &str) -> Result<Frame<Bytes>, Status> {
    let message = prost::Message::encode_to_vec(&text.to_owned());
    let mut bytes = vec![0];
    bytes.extend(u32::try_from(message.len()).expect("short").to_be_bytes());
    bytes.extend(message);
    Ok(Frame::data(bytes.into()))
}

fn trailers(code: Code, extra: &[(&'static str, &'static str)]) -> Frame<Bytes> {
    let mut map = HeaderMap::new();
    map.insert("grpc-status", HeaderValue::from(i32::from(code)));
    for (key, value) in extra {
        map.insert(*key, HeaderValue::from_static(value));
    }
    Frame::trailers(map)
}

fn respond(
    frames: impl futures::Stream<Item = Result<Frame<Bytes>, Status>> + Send + 'static,
) -> Response<Body> {
    let mut response = Response::new(Body::new(StreamBody::new(frames)));
    let grpc = HeaderValue::from_static("application/grpc");
    response.headers_mut().insert("content-type", grpc);
    response
}

/// These messages, then this status, in real trailers.
pub(crate) fn reply(messages: &[&str], code: Code) -> Response<Body> {
    reply_with(messages, code, &[])
}

/// The same with more trailers.
pub(crate) fn reply_with(
    messages: &[&str],
    code: Code,
    extra: &[(&'static str, &'static str)],
) -> Response<Body> {
    let mut frames: Vec<_> = messages.iter().map(|text| frame(text)).collect();
    frames.push(Ok(trailers(code, extra)));
    respond(stream::iter(frames))
}

/// A status without a body.
pub(crate) fn refuse(code: Code) -> Response<Body> {
    Status::new(code, "as the script says").into_http()
}

/// These messages, then nothing more, ever.
pub(crate) fn stall(messages: &[&str]) -> Response<Body> {
    let frames: Vec<_> = messages.iter().map(|text| frame(text)).collect();
    respond(stream::iter(frames).chain(stream::pending()))
}

/// The text of a unary request.
pub(crate) async fn text_of(request: Request<Body>) -> String {
    use http_body_util::BodyExt as _;
    let bytes = request
        .into_body()
        .collect()
        .await
        .expect("body")
        .to_bytes();
    prost::Message::decode(&bytes[5..]).expect("message")
}
