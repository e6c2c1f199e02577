//! A host with a scripted service, and clients for it.

use bytes::Bytes;
use cleave_host::config::{Faults, HostSettings, Loader, TelemetrySettings, Validate};
use cleave_host::{Host, HostBuilder, Running};
use cleave_mesh::policy::{MethodPolicy, PolicyTable};
use futures::StreamExt as _;
use futures::future::BoxFuture;
use futures::stream::{self, BoxStream};
use http::{HeaderMap, HeaderValue, Request, Response};
use http_body::Frame;
use http_body_util::{BodyExt as _, StreamBody};
use serde::Deserialize;
use std::convert::Infallible;
use std::net::SocketAddr;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;
use tonic::body::Body;
use tonic::transport::{Channel, Endpoint};
use tonic::{Code, Status, Streaming};
use tonic_prost::ProstCodec;

/// The contract of the scripted service.
pub(crate) static POLICIES: PolicyTable = PolicyTable::new(&[
    MethodPolicy {
        timeout: Some(Duration::from_secs(20)),
        ..MethodPolicy::new("/test.Script/Call")
    },
    MethodPolicy {
        timeout: Some(Duration::from_millis(100)),
        ..MethodPolicy::new("/test.Script/Short")
    },
    MethodPolicy {
        server_streaming: true,
        ..MethodPolicy::new("/test.Script/Watch")
    },
]);

type Handler = dyn Fn(Request<Body>) -> BoxFuture<'static, Response<Body>> + Send + Sync;

/// A service whose every answer is what the script says.
#[derive(Clone)]
struct Script(Arc<Handler>);

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
        let answer = (self.0)(request);
        Box::pin(async move { Ok(answer.await) })
    }
}

#[derive(Deserialize)]
struct Settings {
    host: HostSettings,
    #[expect(dead_code, reason = "the section is part of the schema")]
    telemetry: TelemetrySettings,
}

impl Validate for Settings {
    fn validate(&self, _: &mut Faults) {}
}

/// Settings for a test: free ports, one worker, quick probes, with these changes.
pub(crate) fn settings(changes: &[(&str, &str)]) -> HostSettings {
    let usual = [
        ("host.listen", "127.0.0.1:0"),
        ("host.admin", "127.0.0.1:0"),
        ("host.workers", "1"),
        ("host.probe_period", "5ms"),
        ("host.lame_duck", "1ms"),
    ];
    let loader = usual
        .iter()
        .chain(changes)
        .fold(Loader::new("test"), |loader, (key, value)| {
            loader.set(key, value)
        });
    loader.load::<Settings>().expect("settings").host
}

/// A host with the scripted service.
pub(crate) fn host<F, R>(changes: &[(&str, &str)], handler: F) -> HostBuilder
where
    F: Fn(Request<Body>) -> R + Send + Sync + 'static,
    R: Future<Output = Response<Body>> + Send + 'static,
{
    let script = Script(Arc::new(move |request| Box::pin(handler(request))));
    Host::builder("test", &settings(changes))
        .policies(POLICIES)
        .service(script)
}

/// Starts a host with the scripted service and waits until it serves.
pub(crate) async fn start<F, R>(handler: F) -> Running
where
    F: Fn(Request<Body>) -> R + Send + Sync + 'static,
    R: Future<Output = Response<Body>> + Send + 'static,
{
    let running = host(&[], handler).start().await.expect("started");
    running.ready().await;
    running
}

/// A plain tonic channel.
pub(crate) async fn connect(address: SocketAddr) -> Channel {
    let endpoint = Endpoint::from_shared(format!("http://{address}")).expect("address");
    endpoint.connect().await.expect("connected")
}

/// Calls a unary method.
pub(crate) async fn unary(
    channel: &Channel,
    method: &str,
    request: impl tonic::IntoRequest<String>,
) -> Result<String, Status> {
    let mut grpc = tonic::client::Grpc::new(channel.clone())
        .max_decoding_message_size(usize::MAX)
        .max_encoding_message_size(usize::MAX);
    let path = format!("/test.Script/{method}").try_into().expect("path");
    let codec = ProstCodec::<String, String>::default();
    grpc.ready()
        .await
        .map_err(|error| Status::unavailable(error.to_string()))?;
    grpc.unary(request.into_request(), path, codec)
        .await
        .map(tonic::Response::into_inner)
}

/// Opens a server stream.
pub(crate) async fn watch(
    channel: &Channel,
    request: impl tonic::IntoRequest<String>,
) -> Result<Streaming<String>, Status> {
    let mut grpc = tonic::client::Grpc::new(channel.clone());
    let path = http::uri::PathAndQuery::from_static("/test.Script/Watch");
    let codec = ProstCodec::<String, String>::default();
    grpc.ready()
        .await
        .map_err(|error| Status::unavailable(error.to_string()))?;
    grpc.server_streaming(request.into_request(), path, codec)
        .await
        .map(tonic::Response::into_inner)
}

/// One message as it goes over the wire.
pub(crate) fn message(text: &str) -> Frame<Bytes> {
    let message = prost::Message::encode_to_vec(&text.to_owned());
    let mut bytes = vec![0];
    bytes.extend(u32::try_from(message.len()).expect("short").to_be_bytes());
    bytes.extend(message);
    Frame::data(bytes.into())
}

/// A status in real trailers.
pub(crate) fn trailers(code: Code) -> Frame<Bytes> {
    let mut map = HeaderMap::new();
    map.insert("grpc-status", HeaderValue::from(i32::from(code)));
    Frame::trailers(map)
}

/// An answer of these frames.
pub(crate) fn respond(frames: BoxStream<'static, Frame<Bytes>>) -> Response<Body> {
    let mut response = Response::new(Body::new(StreamBody::new(frames.map(Ok::<_, Status>))));
    let grpc = HeaderValue::from_static("application/grpc");
    response.headers_mut().insert("content-type", grpc);
    response
}

/// One message and OK.
pub(crate) fn reply(text: &str) -> Response<Body> {
    respond(stream::iter([message(text), trailers(Code::Ok)]).boxed())
}

/// The text of a unary request.
pub(crate) async fn text_of(request: Request<Body>) -> Result<String, Status> {
    let bytes = request.into_body().collect().await?.to_bytes();
    Ok(prost::Message::decode(&bytes[5..]).expect("message"))
}

/// Fetches a page of the admin port.
pub(crate) async fn page(address: SocketAddr, path: &str) -> (u16, String) {
    ask(http::Method::GET, address, path, "").await
}

/// Puts a text to the admin port.
pub(crate) async fn put(address: SocketAddr, path: &str, text: &str) -> (u16, String) {
    ask(http::Method::PUT, address, path, text).await
}

async fn ask(method: http::Method, address: SocketAddr, path: &str, text: &str) -> (u16, String) {
    use http_body_util::Full;
    use hyper_util::client::legacy::Client;
    use hyper_util::rt::TokioExecutor;
    let client = Client::builder(TokioExecutor::new()).build_http::<Full<Bytes>>();
    let request = Request::builder()
        .method(method)
        .uri(format!("http://{address}{path}"))
        .body(Full::from(text.to_owned()))
        .expect("request");
    let response = client.request(request).await.expect("answer");
    let code = response.status().as_u16();
    let body = response
        .into_body()
        .collect()
        .await
        .expect("body")
        .to_bytes();
    (code, String::from_utf8(body.to_vec()).expect("text"))
}

/// A rest between two looks at the admin port, so that looking takes no time from what is looked for.
pub(crate) async fn rest() {
    tokio::time::sleep(Duration::from_millis(5)).await;
}
