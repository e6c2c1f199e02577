//! A server on a free port for the fakes of peers: it can go down, come back, and fail calls on demand.

use std::collections::HashMap;
use std::future::Future;
use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use hyper::body::Incoming;
use hyper::server::conn::http2;
use hyper_util::rt::{TokioExecutor, TokioIo};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;
use tonic::Status;
use tonic::body::Body;
use tonic::service::Routes;
use tower::ServiceExt;

/// What goes wrong with a call.
#[derive(Clone, Debug)]
pub enum Fault {
    /// It is refused before anything is done.
    Refuse(Status),
    /// It is carried out, and its answer is lost: the caller sees UNAVAILABLE.
    LoseReply,
    /// It is neither carried out nor answered.
    Hang,
}

/// A gRPC server for tests, on a port of its own that it keeps while it is down.
#[derive(Debug)]
pub struct FakeServer {
    addr: SocketAddr,
    routes: Routes,
    plan: Arc<Mutex<Plan>>,
    up: Mutex<Option<Up>>,
}

/// A listener that is open, with its connections.
#[derive(Debug)]
struct Up {
    stop: CancellationToken,
    accepting: JoinHandle<()>,
}

/// Faults to come and calls that came, by the method's name without its service.
#[derive(Debug, Default)]
struct Plan {
    faults: HashMap<String, (Fault, u32)>,
    calls: HashMap<String, usize>,
}

impl FakeServer {
    /// Serves `routes` on a free port of the loopback interface.
    ///
    /// # Errors
    /// When no port can be bound.
    pub async fn start(routes: Routes) -> io::Result<Self> {
        let listener = TcpListener::bind(("127.0.0.1", 0)).await?;
        let server = Self {
            addr: listener.local_addr()?,
            routes,
            plan: Arc::default(),
            up: Mutex::new(None),
        };
        server.serve(listener);
        Ok(server)
    }

    /// Where it listens, or will again.
    #[must_use]
    pub fn addr(&self) -> SocketAddr {
        self.addr
    }

    /// Closes the listener and breaks every connection, in the middle of whatever it carries.
    pub async fn go_down(&self) {
        let up = lock(&self.up).take();
        if let Some(up) = up {
            up.stop.cancel();
            // The task ends by itself once told to; that it panicked would be of no interest here.
            let _ = up.accepting.await;
        }
    }

    /// Listens again, where it did before. Nothing happens when it is up.
    ///
    /// # Errors
    /// When the port was taken meanwhile.
    pub async fn come_up(&self) -> io::Result<()> {
        if lock(&self.up).is_some() {
            return Ok(());
        }
        let listener = TcpListener::bind(self.addr).await?;
        self.serve(listener);
        Ok(())
    }

    /// Fails the next `times` calls of a method, named as in the contract (`ReserveBudget`).
    pub fn fail(&self, method: &str, fault: Fault, times: u32) {
        let planned = (fault, times);
        lock(&self.plan).faults.insert(method.to_owned(), planned);
    }

    /// Lets every call through again.
    pub fn heal(&self) {
        lock(&self.plan).faults.clear();
    }

    /// How many calls of a method came, failed ones included.
    #[must_use]
    pub fn calls(&self, method: &str) -> usize {
        lock(&self.plan).calls.get(method).copied().unwrap_or(0)
    }

    fn serve(&self, listener: TcpListener) {
        let stop = CancellationToken::new();
        let accepting = tokio::spawn(accept(
            listener,
            stop.clone(),
            self.routes.clone(),
            Arc::clone(&self.plan),
        ));
        *lock(&self.up) = Some(Up { stop, accepting });
    }
}

impl Drop for FakeServer {
    fn drop(&mut self) {
        if let Some(up) = lock(&self.up).take() {
            up.stop.cancel();
        }
    }
}

async fn accept(
    listener: TcpListener,
    stop: CancellationToken,
    routes: Routes,
    plan: Arc<Mutex<Plan>>,
) {
    let until_stopped = stop.clone().cancelled_owned();
    tokio::pin!(until_stopped);
    loop {
        let stream = tokio::select! {
            biased;
            () = &mut until_stopped => return,
            accepted = listener.accept() => match accepted {
                Ok((stream, _)) => stream,
                Err(_) => continue,
            },
        };
        let serving = converse(stream, routes.clone(), Arc::clone(&plan));
        tokio::spawn(stop.clone().run_until_cancelled_owned(serving));
    }
}

async fn converse(stream: TcpStream, routes: Routes, plan: Arc<Mutex<Plan>>) {
    // Small messages go back and forth: waiting to fill a segment would only slow the tests.
    let _ = stream.set_nodelay(true);
    let service = hyper::service::service_fn(move |request| {
        let answering: Answering = Box::pin(answer(request, routes.clone(), Arc::clone(&plan)));
        answering
    });
    // A connection that breaks is the client's to notice.
    let _ = http2::Builder::new(TokioExecutor::new())
        .serve_connection(TokioIo::new(stream), service)
        .await;
}

type Answering =
    Pin<Box<dyn Future<Output = Result<http::Response<Body>, std::convert::Infallible>> + Send>>;

async fn answer(
    request: http::Request<Incoming>,
    routes: Routes,
    plan: Arc<Mutex<Plan>>,
) -> Result<http::Response<Body>, std::convert::Infallible> {
    let method = request.uri().path().rsplit('/').next().unwrap_or_default();
    let fault = lock(&plan).take(method);
    match fault {
        None => routes.oneshot(request).await,
        Some(Fault::Refuse(status)) => Ok(status.into_http()),
        Some(Fault::LoseReply) => {
            let answered = routes.oneshot(request).await?;
            drain(answered.into_body()).await;
            Ok(Status::unavailable("the answer was lost").into_http())
        }
        Some(Fault::Hang) => std::future::pending().await,
    }
}

/// Reads an answer to its end, so that the call behind it is carried out in full.
async fn drain(body: Body) {
    let _ = http_body_util::BodyExt::collect(body).await;
}

impl Plan {
    /// Counts a call of `method` and says how it fails, if it does.
    fn take(&mut self, method: &str) -> Option<Fault> {
        *self.calls.entry(method.to_owned()).or_default() += 1;
        let (fault, times) = self.faults.get_mut(method)?;
        *times = times.checked_sub(1)?;
        Some(fault.clone())
    }
}

/// The guarded value, also after a test's panic: every value here is whole between two statements.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
