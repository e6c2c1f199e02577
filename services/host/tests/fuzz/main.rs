//! A client that says whatever it likes: a service must answer the next call all the same, and nothing in it
//! may panic.

use bytes::Bytes;
use cleave_host::config::{Faults, HostSettings, Loader, TelemetrySettings, Validate};
use cleave_host::{Host, Listen, Listener, Running};
use cleave_mesh::BoxIo;
use cleave_mesh::policy::{MethodPolicy, PolicyTable};
use futures::future::BoxFuture;
use http::{HeaderMap, HeaderName, HeaderValue, Request, Response};
use http_body::Frame;
use http_body_util::{BodyExt as _, StreamBody};
use hyper::client::conn::http2::{Builder, SendRequest};
use hyper_util::rt::{TokioExecutor, TokioIo};
use serde::Deserialize;
use std::convert::Infallible;
use std::io;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, Once};
use std::time::Duration;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _, DuplexStream};
use tokio::runtime::Runtime;
use tokio::sync::mpsc;
use tonic_health::pb::health_client::HealthClient;

/// What an answer may take, on a busy machine.
const PATIENCE: Duration = Duration::from_secs(20);
/// The call whose answer goes on for as long as its caller listens, when it sets no deadline.
const ENDLESS: &str = "/grpc.health.v1.Health/Watch";
/// So long is an answer listened to that need not end.
const GLIMPSE: Duration = Duration::from_millis(200);
/// What every HTTP/2 client begins with, and no settings.
const GREETING: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\x04\0\0\0\0\0";
/// Between the parts of a scripted request.
const BREAK: u8 = 0;

static POLICIES: PolicyTable = PolicyTable::new(&[MethodPolicy {
    timeout: Some(Duration::from_millis(200)),
    ..MethodPolicy::new("/grpc.health.v1.Health/Check")
}]);

static PANICS: AtomicUsize = AtomicUsize::new(0);

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Settings {
    host: HostSettings,
    #[expect(dead_code, reason = "the loader brings it along")]
    telemetry: TelemetrySettings,
}

impl Validate for Settings {
    fn validate(&self, faults: &mut Faults) {
        self.host.validate(faults);
    }
}

type Calls = mpsc::UnboundedReceiver<DuplexStream>;

/// A network of one port, which hands on what is put into it.
struct Lobby(Mutex<Option<Calls>>);

struct Door(Option<Calls>);

impl Listen for Lobby {
    fn listen(&self, _: SocketAddr) -> BoxFuture<'static, io::Result<Box<dyn Listener>>> {
        // The first port is the service's; nobody comes to the admin's.
        let calls = self.0.lock().expect("no panic").take();
        Box::pin(async move {
            let door: Box<dyn Listener> = Box::new(Door(calls));
            Ok(door)
        })
    }
}

impl Listener for Door {
    fn accept(&mut self) -> BoxFuture<'_, io::Result<(BoxIo, SocketAddr)>> {
        Box::pin(async move {
            let next = match &mut self.0 {
                Some(calls) => calls.recv().await,
                None => None,
            };
            match next {
                Some(io) => {
                    let io: BoxIo = Box::new(io);
                    Ok((io, SocketAddr::from(([127, 0, 0, 1], 1))))
                }
                None => std::future::pending().await,
            }
        })
    }

    fn local_addr(&self) -> io::Result<SocketAddr> {
        Ok(SocketAddr::from(([127, 0, 0, 1], 1)))
    }
}

/// A service that runs for the whole test. A panic ends the test, so nothing of it is seen after one.
struct Service {
    runtime: Runtime,
    door: mpsc::UnboundedSender<DuplexStream>,
    _running: Running,
}

impl std::panic::RefUnwindSafe for Service {}

impl Service {
    fn start() -> Self {
        static HOOK: Once = Once::new();
        HOOK.call_once(|| {
            let usual = std::panic::take_hook();
            std::panic::set_hook(Box::new(move |panic| {
                PANICS.fetch_add(1, Ordering::Relaxed);
                usual(panic);
            }));
        });
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .expect("a runtime");
        let settings: Settings = Loader::new("FUZZ").load().expect("the defaults are sound");
        let (door, calls) = mpsc::unbounded_channel();
        let running = runtime.block_on(async {
            let running = Host::builder("fuzz", &settings.host)
                .policies(POLICIES)
                .network(Arc::new(Lobby(Mutex::new(Some(calls)))))
                .start()
                .await
                .expect("a service");
            running.ready().await;
            running
        });
        Self {
            runtime,
            door,
            _running: running,
        }
    }

    /// Another connection to it.
    fn connect(&self) -> DuplexStream {
        let (ours, theirs) = tokio::io::duplex(64 * 1024);
        self.door.send(theirs).expect("it listens");
        ours
    }

    async fn client<B>(&self) -> SendRequest<B>
    where
        B: http_body::Body<Data = Bytes, Error = Infallible> + Send + Unpin + 'static,
    {
        let io = TokioIo::new(self.connect());
        let (client, connection) = Builder::new(TokioExecutor::new())
            .handshake(io)
            .await
            .expect("a service that greets");
        tokio::spawn(connection);
        client
    }

    /// It answers an honest call, and nothing has panicked.
    async fn is_sound(&self) {
        let io = Mutex::new(Some(TokioIo::new(self.connect())));
        let connector = tower::service_fn(move |_: http::Uri| {
            let io = io.lock().expect("no panic").take();
            async move { io.ok_or_else(|| io::Error::other("only one connection")) }
        });
        let endpoint = tonic::transport::Endpoint::from_static("http://fuzz.invalid");
        let channel = endpoint.connect_with_connector(connector);
        let channel = tokio::time::timeout(PATIENCE, channel).await;
        let channel = channel.expect("in time").expect("a connection");
        let check = tonic_health::pb::HealthCheckRequest::default();
        let mut health = HealthClient::new(channel);
        let answer = tokio::time::timeout(PATIENCE, health.check(check)).await;
        answer.expect("in time").expect("a service that serves");
        assert_eq!(PANICS.load(Ordering::Relaxed), 0, "something panicked");
    }
}

impl Service {
    /// Hears these bytes from a client that then hangs up, after a greeting or not.
    fn hear(&self, bytes: &[u8]) {
        self.runtime.block_on(async {
            let (greets, rest) = bytes.split_first().unwrap_or((&0, &[]));
            let mut peer = self.connect();
            let mut said = Vec::new();
            if greets % 2 == 1 {
                said.extend_from_slice(GREETING);
            }
            said.extend_from_slice(rest);
            // The service may hang up before it has heard all.
            let _ = peer.write_all(&said).await;
            let _ = peer.shutdown().await;
            let mut heard = Vec::new();
            let heard = tokio::time::timeout(PATIENCE, peer.read_to_end(&mut heard)).await;
            assert!(
                heard.is_ok(),
                "the service holds on to a client that has gone"
            );
            self.is_sound().await;
        });
    }

    /// Answers a scripted request.
    fn answer(&self, bytes: &[u8]) {
        let Some(request) = request(bytes) else {
            return;
        };
        let endless = request.uri().path() == ENDLESS;
        self.runtime.block_on(async {
            let mut client = self.client().await;
            // A request that the HTTP library refuses to send never leaves this side.
            let sent = tokio::time::timeout(PATIENCE, client.send_request(request)).await;
            if let Ok(response) = sent.expect("in time") {
                judge(response, endless).await;
            }
            self.is_sound().await;
        });
    }
}

#[test]
fn bytes() {
    let service = Service::start();
    bolero::check!()
        .with_iterations(100)
        .for_each(|bytes: &[u8]| service.hear(bytes));
}

#[test]
fn requests() {
    let service = Service::start();
    bolero::check!()
        .with_iterations(200)
        .for_each(|bytes: &[u8]| service.answer(bytes));
}

/// Headers out of lines `name: value`; what HTTP would not carry is left out.
fn headers(lines: &[u8]) -> HeaderMap {
    let mut headers = HeaderMap::new();
    for line in lines.split(|byte| *byte == b'\n') {
        let Some(colon) = line.iter().position(|byte| *byte == b':') else {
            continue;
        };
        let name = HeaderName::from_bytes(&line[..colon]);
        let value = HeaderValue::from_bytes(line[colon + 1..].trim_ascii_start());
        if let (Ok(name), Ok(value)) = (name, value) {
            headers.append(name, value);
        }
    }
    headers
}

/// A request out of path, headers, trailers and body.
fn request(
    bytes: &[u8],
) -> Option<Request<impl http_body::Body<Data = Bytes, Error = Infallible> + Send + Unpin + 'static>>
{
    let mut parts = bytes.splitn(4, |byte| *byte == BREAK);
    let mut next = || parts.next().unwrap_or_default();
    let (path, lines, trailers, body) = (next(), next(), headers(next()), next());
    let trailers = (!trailers.is_empty()).then_some(Frame::trailers(trailers));
    let data = Some(Frame::data(Bytes::copy_from_slice(body)));
    let frames: Vec<Result<_, Infallible>> = data.into_iter().chain(trailers).map(Ok).collect();
    let mut request = Request::new(StreamBody::new(futures::stream::iter(frames)));
    *request.method_mut() = http::Method::POST;
    *request.uri_mut() = http::Uri::builder()
        .scheme("http")
        .authority("fuzz.invalid")
        .path_and_query(path)
        .build()
        .ok()?;
    *request.headers_mut() = headers(lines);
    Some(request)
}

/// Every answer is gRPC's, or tells by HTTP that the question was not.
async fn judge(response: Response<hyper::body::Incoming>, endless: bool) {
    if response.status() == http::StatusCode::UNSUPPORTED_MEDIA_TYPE {
        return;
    }
    let status = response.headers().get("grpc-status").cloned();
    let patience = if endless { GLIMPSE } else { PATIENCE };
    let body = tokio::time::timeout(patience, response.into_body().collect()).await;
    if endless && body.is_err() {
        return;
    }
    let Ok(body) = body.expect("in time") else {
        return;
    };
    let trailers = body
        .trailers()
        .and_then(|trailers| trailers.get("grpc-status"))
        .cloned();
    let status = status.or(trailers).expect("every call has a status");
    let code: i32 = status.to_str().expect("text").parse().expect("a number");
    assert!((0..=16).contains(&code), "{code} is no code");
}
