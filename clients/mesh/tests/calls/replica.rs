//! Replicas of a peer that can be made to fail, and load to run against them.

use crate::peer::{reply, reply_with, unary};
use crate::proxy::Proxy;
use cleave_mesh::{Mesh, MeshChannel, Tuning};
use futures::StreamExt as _;
use http::{Request, Response};
use http_body_util::BodyExt as _;
use hyper::body::Incoming;
use hyper::server::conn::http2;
use hyper_util::rt::{TokioExecutor, TokioIo};
use std::convert::Infallible;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;
use tonic::body::Body;
use tonic::{Code, Status};

/// What a replica takes for a call when all is well.
pub(crate) const WORK: Duration = Duration::from_millis(5);
/// How long a test waits for what must come about.
const PATIENCE: Duration = Duration::from_secs(60);

/// What a replica does with calls.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Mode {
    /// It answers after so long.
    Answer(Duration),
    /// It refuses at once.
    Refuse(Code),
    /// It answers, and says that it is on its way out.
    Drain,
    /// It never answers.
    Hang,
}

/// How a replica's health service answers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Health {
    /// There is none.
    Absent,
    /// It tells this status.
    Says(u8),
}

struct State {
    calls: AtomicUsize,
    mode: Mutex<Mode>,
    health: watch::Sender<Health>,
    max_streams: Option<u32>,
    /// Counts the orders to end connections in good order.
    goaway: watch::Sender<u32>,
}

/// A replica on a port of its own, which it keeps while it is down.
pub(crate) struct Replica {
    pub(crate) address: SocketAddr,
    state: Arc<State>,
    life: Mutex<CancellationToken>,
}

impl Replica {
    pub(crate) async fn start() -> Self {
        Self::start_with(None, Health::Absent).await
    }

    /// One that listens there.
    pub(crate) async fn start_at(address: SocketAddr) -> Self {
        let listener = TcpListener::bind(address).await.expect("bind");
        Self::start_on(listener, None, Health::Absent)
    }

    pub(crate) async fn start_with(max_streams: Option<u32>, health: Health) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("bind");
        Self::start_on(listener, max_streams, health)
    }

    fn start_on(listener: TcpListener, max_streams: Option<u32>, health: Health) -> Self {
        let replica = Self {
            address: listener.local_addr().expect("address"),
            state: Arc::new(State {
                calls: AtomicUsize::new(0),
                mode: Mutex::new(Mode::Answer(WORK)),
                health: watch::Sender::new(health),
                max_streams,
                goaway: watch::Sender::new(0),
            }),
            life: Mutex::default(),
        };
        replica.serve(listener);
        replica
    }

    /// The calls that reached it.
    pub(crate) fn calls(&self) -> usize {
        self.state.calls.load(Ordering::SeqCst)
    }

    pub(crate) fn set(&self, mode: Mode) {
        *self.state.mode.lock().expect("not poisoned") = mode;
    }

    pub(crate) fn say(&self, health: Health) {
        self.state.health.send_replace(health);
    }

    /// Ends every connection with GOAWAY; calls under way finish.
    pub(crate) fn go_away(&self) {
        self.state.goaway.send_modify(|order| *order += 1);
    }

    /// Dies in the middle of whatever it does.
    pub(crate) fn kill(&self) {
        self.life.lock().expect("not poisoned").cancel();
    }

    /// Comes back where it was.
    pub(crate) async fn revive(&self) {
        let listener = loop {
            // The port is free once the last task of the old life is gone.
            match TcpListener::bind(self.address).await {
                Ok(listener) => break listener,
                Err(_) => tokio::task::yield_now().await,
            }
        };
        self.serve(listener);
    }

    fn serve(&self, listener: TcpListener) {
        let life = CancellationToken::new();
        *self.life.lock().expect("not poisoned") = life.clone();
        let state = Arc::clone(&self.state);
        let accepting = async move {
            while let Ok((stream, _)) = listener.accept().await {
                let serving = converse(stream, Arc::clone(&state));
                tokio::spawn(life.clone().run_until_cancelled_owned(serving));
            }
        };
        let life = self.life.lock().expect("not poisoned").clone();
        tokio::spawn(life.run_until_cancelled_owned(accepting));
    }
}

async fn converse(stream: TcpStream, state: Arc<State>) {
    stream.set_nodelay(true).expect("nodelay");
    let mut builder = http2::Builder::new(TokioExecutor::new());
    builder.max_concurrent_streams(state.max_streams.unwrap_or(200));
    let mut goaway = state.goaway.subscribe();
    let service = hyper::service::service_fn(move |request| answer(request, Arc::clone(&state)));
    let mut serving = std::pin::pin!(builder.serve_connection(TokioIo::new(stream), service));
    loop {
        tokio::select! {
            _ = serving.as_mut() => return,
            _ = goaway.changed() => serving.as_mut().graceful_shutdown(),
        }
    }
}

async fn answer(
    request: Request<Incoming>,
    state: Arc<State>,
) -> Result<Response<Body>, Infallible> {
    if request.uri().path() == "/grpc.health.v1.Health/Watch" {
        return Ok(health(&state));
    }
    state.calls.fetch_add(1, Ordering::SeqCst);
    let mode = *state.mode.lock().expect("not poisoned");
    let Ok(body) = request.into_body().collect().await else {
        // The caller is gone.
        return Ok(Status::cancelled("gone").into_http());
    };
    let text: String = prost::Message::decode(&body.to_bytes()[5..]).expect("message");
    Ok(match mode {
        Mode::Answer(after) => {
            tokio::time::sleep(after).await;
            reply(&[&text], Code::Ok)
        }
        Mode::Refuse(code) => Status::new(code, "refused").into_http(),
        Mode::Drain => reply_with(&[&text], Code::Ok, &[("cleave-draining", "1")]),
        Mode::Hang => std::future::pending().await,
    })
}

fn health(state: &State) -> Response<Body> {
    if *state.health.borrow() == Health::Absent {
        return Status::unimplemented("no health").into_http();
    }
    let words = tokio_stream::wrappers::WatchStream::new(state.health.subscribe());
    let frames = words.filter_map(|health| async move {
        let Health::Says(status) = health else {
            return None;
        };
        let message = bytes::Bytes::from(vec![0, 0, 0, 0, 2, 8, status]);
        Some(Ok::<_, Status>(http_body::Frame::data(message)))
    });
    let mut response = Response::new(Body::new(http_body_util::StreamBody::new(frames)));
    let grpc = http::HeaderValue::from_static("application/grpc");
    response.headers_mut().insert("content-type", grpc);
    response
}

/// Replicas, each behind a proxy, and a mesh that calls them.
pub(crate) struct Fleet {
    pub(crate) replicas: Vec<Arc<Replica>>,
    pub(crate) proxies: Vec<Proxy>,
    pub(crate) mesh: Mesh,
    pub(crate) channel: MeshChannel,
}

/// Quick to notice and to try again, so that tests are short.
pub(crate) fn tuning() -> Tuning {
    Tuning {
        first_backoff: Duration::from_millis(100),
        max_backoff: Duration::from_millis(500),
        keepalive_interval: Duration::from_secs(1),
        keepalive_timeout: Duration::from_secs(1),
        connect_timeout: Duration::from_millis(500),
        decay: Duration::from_secs(5),
        ..Tuning::default()
    }
}

impl Fleet {
    pub(crate) async fn start(size: usize) -> Self {
        let mut replicas = Vec::new();
        let mut proxies = Vec::new();
        for _ in 0..size {
            let replica = Replica::start().await;
            proxies.push(Proxy::start(replica.address).await);
            replicas.push(Arc::new(replica));
        }
        let addresses: Vec<_> = proxies.iter().map(|one| one.address.to_string()).collect();
        let mesh = Mesh::builder(crate::peer::POLICIES)
            .caller("tester")
            .peer("script", &addresses.join(","))
            .tuning(tuning())
            .build()
            .expect("mesh");
        let channel = mesh.to("script").expect("peer");
        Self {
            replicas,
            proxies,
            mesh,
            channel,
        }
    }

    /// The attempts sent to each replica so far, whether they arrived or not.
    pub(crate) fn sent(&self) -> Vec<u64> {
        let replicas = self.mesh.state().remove(0).replicas;
        replicas.iter().map(|replica| replica.calls).collect()
    }

    /// The state of a replica as the admin port tells it.
    pub(crate) fn state_of(&self, index: usize) -> &'static str {
        self.mesh.state()[0].replicas[index].state
    }

    /// Makes calls until every replica has had one.
    pub(crate) async fn reach_all(&self) {
        let calling = async {
            while self.replicas.iter().any(|replica| replica.calls() == 0) {
                unary(&self.channel, "Read", "x").await.expect("answer");
            }
        };
        tokio::time::timeout(PATIENCE, calling)
            .await
            .unwrap_or_else(|_| panic!("one is never called: {:?}", self.mesh.state()));
    }

    /// Waits until every replica has had its share of calls.
    pub(crate) async fn warm(&self) {
        for replica in &self.replicas {
            until(|| replica.calls() >= 50).await;
        }
    }
}

/// Waits until something is so.
pub(crate) async fn until(mut is_so: impl FnMut() -> bool) {
    let waiting = async {
        while !is_so() {
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
    };
    tokio::time::timeout(PATIENCE, waiting)
        .await
        .expect("it comes about");
}

/// Calls that go on until they are stopped.
pub(crate) struct Load {
    stop: Arc<AtomicBool>,
    made: Arc<AtomicUsize>,
    failures: Arc<Mutex<Vec<Status>>>,
    callers: Vec<tokio::task::JoinHandle<()>>,
}

impl Load {
    /// So many callers, each with one call out at a time.
    pub(crate) fn start(channel: &MeshChannel, method: &'static str, callers: usize) -> Self {
        let stop = Arc::new(AtomicBool::new(false));
        let made = Arc::new(AtomicUsize::new(0));
        let failures = Arc::new(Mutex::new(Vec::new()));
        let caller = |_| {
            let (stop, made, failures) = (stop.clone(), made.clone(), failures.clone());
            let channel = channel.clone();
            tokio::spawn(async move {
                while !stop.load(Ordering::Relaxed) {
                    if let Err(status) = crate::peer::unary(&channel, method, "x").await {
                        failures.lock().expect("not poisoned").push(status);
                    }
                    made.fetch_add(1, Ordering::Relaxed);
                }
            })
        };
        let callers = (0..callers).map(caller).collect();
        Self {
            stop,
            made,
            failures,
            callers,
        }
    }

    /// The calls that have ended.
    pub(crate) fn made(&self) -> usize {
        self.made.load(Ordering::Relaxed)
    }

    /// Waits until so many more calls have ended.
    pub(crate) async fn more(&self, calls: usize) {
        let goal = self.made() + calls;
        until(|| self.made() >= goal).await;
    }

    /// Ends the load; the number of calls made in all, and the failures that callers saw.
    pub(crate) async fn stop(self) -> (usize, Vec<Status>) {
        self.stop.store(true, Ordering::Relaxed);
        for caller in self.callers {
            caller.await.expect("caller");
        }
        let failures = std::mem::take(&mut *self.failures.lock().expect("not poisoned"));
        (self.made.load(Ordering::Relaxed), failures)
    }
}
