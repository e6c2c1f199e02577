//! A peer that says whatever it likes: to each input the whole caller's half must answer in time, with an
//! answer or with a failure that has a cause, and without a panic anywhere.

use bytes::Bytes;
use cleave_mesh::policy::{MethodPolicy, PolicyTable};
use cleave_mesh::{BoxIo, CallError, Connect, Mesh, MeshChannel, Tuning};
use futures::future::BoxFuture;
use http::{HeaderMap, HeaderName, HeaderValue, Request, Response, StatusCode};
use http_body::Frame;
use http_body_util::{BodyExt as _, StreamBody};
use hyper::body::Incoming;
use hyper::server::conn::http2;
use hyper_util::rt::{TokioExecutor, TokioIo};
use std::convert::Infallible;
use std::io;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, Once};
use std::time::Duration;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _, DuplexStream};
use tokio::runtime::Runtime;
use tonic::Code;

/// What every call is given.
const TIMEOUT: Duration = Duration::from_millis(150);
/// What it may take in all, on a busy machine.
const PATIENCE: Duration = Duration::from_secs(20);
/// SETTINGS without a setting, and the word that ours were read.
const SETTINGS: &[u8] = &[0, 0, 0, 4, 0, 0, 0, 0, 0, 0, 0, 0, 4, 1, 0, 0, 0, 0];
/// Between the parts of a scripted answer.
const BREAK: u8 = 0;

static POLICIES: PolicyTable = PolicyTable::new(&[MethodPolicy {
    timeout: Some(TIMEOUT),
    ..MethodPolicy::new("/test.Script/Call")
}]);

static PANICS: AtomicUsize = AtomicUsize::new(0);

/// Counts panics, also in tasks that nobody waits for.
fn count_panics() {
    static HOOK: Once = Once::new();
    HOOK.call_once(|| {
        let usual = std::panic::take_hook();
        std::panic::set_hook(Box::new(move |panic| {
            PANICS.fetch_add(1, Ordering::Relaxed);
            usual(panic);
        }));
    });
}

fn runtime() -> Runtime {
    count_panics();
    tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .expect("a runtime")
}

/// Connects to whoever plays the peer.
struct Stage<P>(P);

impl<P: Fn(DuplexStream) + Send + Sync + 'static> Connect for Stage<P> {
    fn connect(&self, _: &str) -> BoxFuture<'static, io::Result<BoxIo>> {
        let (ours, theirs) = tokio::io::duplex(64 * 1024);
        (self.0)(theirs);
        Box::pin(async move {
            let io: BoxIo = Box::new(ours);
            Ok(io)
        })
    }
}

/// A channel to a peer that is played so.
fn channel(play: impl Fn(DuplexStream) + Send + Sync + 'static) -> MeshChannel {
    let tuning = Tuning {
        connect_timeout: TIMEOUT,
        watch_health: false,
        ..Tuning::default()
    };
    let mesh = Mesh::builder(POLICIES)
        .peer("peer", "http://peer:1")
        .connect(Arc::new(Stage(play)))
        .tuning(tuning)
        .build()
        .expect("a mesh");
    mesh.to("peer").expect("the peer")
}

/// Makes a call and reads the answer to its end.
async fn call(channel: &MeshChannel) -> Result<Bytes, CallError> {
    let mut grpc = tonic::client::Grpc::new(channel.clone());
    grpc.ready().await.map_err(CallError::from)?;
    let path = http::uri::PathAndQuery::from_static("/test.Script/Call");
    let request = tonic::Request::new(());
    let codec = tonic_prost::ProstCodec::<(), ()>::default();
    grpc.unary(request, path, codec)
        .await
        .map_err(CallError::from)?;
    Ok(Bytes::new())
}

/// The call ends in time; a failure says what made it fail.
async fn judge(channel: &MeshChannel) {
    let outcome = tokio::time::timeout(PATIENCE, call(channel)).await;
    if let Err(failed) = outcome.expect("a call ends with its deadline") {
        assert_ne!(failed.code, Code::Ok);
        assert!(!failed.cause.name().is_empty());
    }
    assert_eq!(PANICS.load(Ordering::Relaxed), 0, "something panicked");
}

/// The caller's side of a test. A panic ends the test, so nothing of it is seen after one.
struct Caller<S> {
    runtime: Runtime,
    script: Arc<Mutex<S>>,
    channel: Option<MeshChannel>,
}

impl<S> std::panic::RefUnwindSafe for Caller<S> {}

impl<S: Default> Caller<S> {
    fn new() -> Self {
        Self {
            runtime: runtime(),
            script: Arc::default(),
            channel: None,
        }
    }
}

impl Caller<Vec<u8>> {
    /// Calls a peer that says these bytes, after a greeting or not.
    fn hear_bytes(&self, bytes: &[u8]) {
        let said = bytes.to_vec();
        self.runtime.block_on(async move {
            let channel = channel(move |mut peer| {
                let script = said.clone();
                tokio::spawn(async move {
                    let (greets, rest) = script.split_first().unwrap_or((&0, &[]));
                    let mut said = Vec::new();
                    if greets % 2 == 1 {
                        said.extend_from_slice(SETTINGS);
                    }
                    said.extend_from_slice(rest);
                    // Who hangs up is the caller.
                    let _ = peer.write_all(&said).await;
                    let _ = peer.read(&mut [0; 1_024]).await;
                });
            });
            judge(&channel).await;
        });
    }
}

#[test]
fn bytes() {
    let caller = Caller::new();
    bolero::check!()
        .with_iterations(150)
        .for_each(|bytes: &[u8]| caller.hear_bytes(bytes));
}

/// What a scripted peer answers: status, headers, messages, trailers.
#[derive(Clone, Default)]
struct Script {
    status: u16,
    headers: HeaderMap,
    data: Vec<u8>,
    trailers: Option<HeaderMap>,
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

impl Script {
    fn read(bytes: &[u8]) -> Self {
        let mut parts = bytes.splitn(3, |byte| *byte == BREAK);
        let mut next = || parts.next().unwrap_or_default();
        let (status, rest) = next().split_first().map_or((0, &[][..]), |(s, r)| (*s, r));
        let (headers_of, trailers_of, data) = (rest, next(), next());
        let trailers = headers(trailers_of);
        Self {
            status: [200, 200, 204, 400, 401, 404, 429, 500, 503][usize::from(status) % 9],
            headers: headers(headers_of),
            data: data.to_vec(),
            trailers: (!trailers.is_empty()).then_some(trailers),
        }
    }

    fn answer(self) -> Response<impl http_body::Body<Data = Bytes, Error = Infallible>> {
        let data = Some(Frame::data(Bytes::from(self.data)));
        let frames = data.into_iter().chain(self.trailers.map(Frame::trailers));
        let frames: Vec<Result<_, Infallible>> = frames.map(Ok).collect();
        let mut response = Response::new(StreamBody::new(futures::stream::iter(frames)));
        *response.status_mut() = StatusCode::from_u16(self.status).expect("a status");
        *response.headers_mut() = self.headers;
        response
    }
}

impl Caller<Script> {
    /// Plays a peer that answers by the script of the day.
    fn with_peer(mut self) -> Self {
        let script = Arc::clone(&self.script);
        let play = move |peer| {
            let script = Arc::clone(&script);
            let answer = move |request: Request<Incoming>| {
                let script = script.lock().expect("no panic").clone();
                async move {
                    let _ = request.into_body().collect().await;
                    Ok::<_, Infallible>(script.answer())
                }
            };
            tokio::spawn(
                http2::Builder::new(TokioExecutor::new())
                    .serve_connection(TokioIo::new(peer), hyper::service::service_fn(answer)),
            );
        };
        self.channel = Some(self.runtime.block_on(async { channel(play) }));
        self
    }

    /// Calls a peer that answers so.
    fn hear_answer(&self, bytes: &[u8]) {
        *self.script.lock().expect("no panic") = Script::read(bytes);
        if let Some(channel) = &self.channel {
            self.runtime.block_on(judge(channel));
        }
    }
}

#[test]
fn answers() {
    let caller = Caller::new().with_peer();
    bolero::check!()
        .with_iterations(300)
        .for_each(|bytes: &[u8]| caller.hear_answer(bytes));
}
