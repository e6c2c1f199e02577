//! One HTTP/2 connection and the streams taken on it.

use super::connect::{Connect, Heard, Overheard, Phase};
use super::dial_error::DialError;
use super::keepalive::Pings;
use crate::contract::{Judgement, Prospect};
use crate::metrics::Reason;
use crate::tuning::Tuning;
use hyper::client::conn::http2::{Builder, SendRequest};
use hyper_util::rt::{TokioIo, TokioTimer};
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use tokio::sync::{Notify, watch};
use tonic::body::Body;

/// How many streams are opened before the peer has said how many it allows.
const INITIAL_STREAMS: usize = 100;

/// One HTTP/2 connection.
#[derive(Debug)]
pub(super) struct Connection {
    sender: SendRequest<Body>,
    judgement: Arc<Judgement>,
    pings: Pings,
    taken: AtomicUsize,
    heard: Arc<Heard>,
    closing: AtomicBool,
    closed: Notify,
    /// It stands on credentials that others have followed.
    outdated: AtomicBool,
}

/// Runs what the HTTP library spawns with each call. Spawned as it is, it would be moved half a dozen times, and it
/// is large.
#[derive(Debug, Clone, Copy)]
struct OnHeap;

impl<F: Future<Output = ()> + Send + 'static> hyper::rt::Executor<F> for OnHeap {
    fn execute(&self, future: F) {
        let future: Pin<Box<dyn Future<Output = ()> + Send>> = Box::pin(future);
        tokio::spawn(future);
    }
}

/// Tells when the peer has spoken.
pub(super) struct Opening {
    phases: watch::Receiver<Phase>,
    heard: Arc<Heard>,
}

/// Tells when a connection takes no further calls.
pub(super) struct Closing(watch::Receiver<Phase>);

impl Connection {
    /// Begins a connection; it is made once the peer has spoken HTTP/2. Must run on the runtime that is to
    /// drive the connection.
    pub(super) async fn begin(
        address: &str,
        connect: &dyn Connect,
        (tuning, pings): (&Tuning, Pings),
    ) -> Result<(Self, Opening), DialError> {
        let io = connect.connect(address).await?;
        let (phase, phases) = watch::channel(Phase::Opening);
        let heard = Arc::new(Heard::new(INITIAL_STREAMS));
        let io = Overheard::new(io, phase, Arc::clone(&heard));
        let (sender, connection) = Builder::new(OnHeap)
            .timer(TokioTimer::new())
            .keep_alive_interval(pings.interval)
            .keep_alive_timeout(tuning.keepalive_timeout)
            .keep_alive_while_idle(pings.while_idle)
            .handshake(TokioIo::new(io))
            .await
            .map_err(|_| DialError::NotHttp2)?;
        tokio::spawn(async move {
            if let Err(error) = connection.await {
                tracing::debug!(%error, "connection ended");
            }
        });
        let opening = Opening {
            phases,
            heard: Arc::clone(&heard),
        };
        let connection = Self {
            sender,
            judgement: Arc::new(Judgement::unknown()),
            pings,
            taken: AtomicUsize::new(0),
            heard,
            closing: AtomicBool::new(false),
            closed: Notify::new(),
            outdated: AtomicBool::new(false),
        };
        Ok((connection, opening))
    }

    /// What requests are sent with, before anything else is.
    pub(super) fn sender(&self) -> SendRequest<Body> {
        self.sender.clone()
    }

    /// From now on only what this allows is sent.
    pub(super) fn agree(&mut self, judgement: Arc<Judgement>) {
        self.judgement = judgement;
    }

    /// Whether the method may be called on it.
    pub(super) fn takes(&self, method: Option<usize>) -> bool {
        self.judgement.prospect(method) != Prospect::Refused
    }

    /// What may be asked of the peer.
    pub(super) fn judgement(&self) -> &Judgement {
        &self.judgement
    }

    /// Whether calls may be sent on it.
    pub(super) fn is_open(&self) -> bool {
        !self.closing.load(Ordering::Relaxed) && !self.sender.is_closed()
    }

    /// No further calls are to be sent on it.
    pub(super) fn close(&self) {
        self.closing.store(true, Ordering::Relaxed);
        self.closed.notify_one();
    }

    /// Resolves once no further calls are to be sent on it; for one that waits.
    pub(super) async fn closed(&self) {
        self.closed.notified().await;
    }

    /// What ended it, as far as the peer had a part in that.
    pub(super) fn end(&self) -> Option<Reason> {
        self.heard.end.get().copied()
    }

    /// How often it is pinged.
    pub(super) const fn pings(&self) -> Pings {
        self.pings
    }

    /// It is to be replaced; until another one stands, calls may go on.
    pub(super) fn outdate(&self) {
        self.outdated.store(true, Ordering::Relaxed);
    }

    /// Whether it is to be replaced.
    pub(super) fn is_outdated(&self) -> bool {
        self.outdated.load(Ordering::Relaxed)
    }

    /// The streams in use.
    pub(super) fn taken(&self) -> usize {
        self.taken.load(Ordering::Relaxed)
    }

    /// How many streams the peer allows at one time.
    pub(super) fn max_streams(&self) -> usize {
        self.heard.max_streams.load(Ordering::Relaxed)
    }

    /// Whether another stream may be opened.
    pub(super) fn has_room(&self) -> bool {
        self.is_open() && self.taken() < self.max_streams()
    }

    /// Takes a stream; given back when the [`Stream`] is dropped.
    pub(super) fn take(self: &Arc<Self>) -> Option<Stream> {
        if !self.is_open() {
            return None;
        }
        let limit = self.max_streams();
        let more = |taken: usize| (taken < limit).then_some(taken + 1);
        self.taken
            .fetch_update(Ordering::Relaxed, Ordering::Relaxed, more)
            .ok()?;
        Some(Stream {
            connection: Arc::clone(self),
        })
    }
}

impl Opening {
    /// Resolves once the connection is made.
    pub(super) async fn heard(mut self) -> Result<Closing, DialError> {
        let spoken = self.phases.wait_for(|phase| *phase != Phase::Opening);
        let broken = |_| self.heard.broken.get().cloned();
        let broken = |error| broken(error).unwrap_or(DialError::NotHttp2);
        spoken.await.map(drop).map_err(broken)?;
        Ok(Closing(self.phases))
    }
}

impl Closing {
    /// Resolves once the connection takes no further calls.
    pub(super) async fn closed(mut self) {
        // An error means that the bytes are gone altogether.
        let _ = self.0.wait_for(|phase| *phase == Phase::GoingAway).await;
    }
}

/// A stream that was taken on a connection.
#[derive(Debug)]
pub(super) struct Stream {
    connection: Arc<Connection>,
}

impl Stream {
    /// What requests are sent with.
    pub(super) fn sender(&self) -> SendRequest<Body> {
        self.connection.sender.clone()
    }

    /// The connection takes no further calls.
    pub(super) fn connection_is_closing(&self) {
        self.connection.close();
    }
}

impl Drop for Stream {
    fn drop(&mut self) {
        self.connection.taken.fetch_sub(1, Ordering::Relaxed);
    }
}
