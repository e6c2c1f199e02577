//! Health as gRPC defines it: Check, List and Watch, for the server as a whole and for each of its
//! services.
//!
//! Everything is NOT_SERVING until the probes pass, again while one fails, and for good once the end has
//! begun; but for [`LIVENESS`], which serves as long as the process can answer.

use crate::drain::Drain;
use futures::stream::{BoxStream, StreamExt as _};
use metrics::Gauge;
use pb::health_check_response::ServingStatus;
use pb::health_server::Health;
use pb::{HealthCheckRequest, HealthCheckResponse, HealthListRequest, HealthListResponse};
use std::collections::BTreeSet;
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use tokio::sync::Notify;
use tokio::sync::futures::Notified;
use tonic::{Request, Response, Status};

#[allow(
    clippy::all,
    clippy::as_conversions,
    clippy::allow_attributes_without_reason,
    missing_docs,
    unreachable_pub,
    reason = "generated code"
)]
pub(crate) mod pb {
    tonic::include_proto!("grpc.health.v1");

    /// The protocol itself, for reflection.
    pub(crate) const DESCRIPTORS: &[u8] = include_bytes!(concat!(env!("OUT_DIR"), "/health.binpb"));
}

/// The name that an orchestrator asks to learn whether the process must be restarted. What a restart does not
/// mend, a database that is away above all, does not count.
pub const LIVENESS: &str = "liveness";

/// Whether the server serves. Clones are the same object.
#[derive(Debug, Clone)]
pub(crate) struct Readiness {
    serving: Arc<Serving>,
    drain: Drain,
    shown: Gauge,
}

/// Wakes those who wait in the order in which they came, so that a simulation can be run again.
#[derive(Debug, Default)]
struct Serving {
    now: AtomicBool,
    changed: Notify,
}

impl Readiness {
    /// Not ready; `shown` follows it.
    pub(crate) fn new(drain: Drain, shown: Gauge) -> Self {
        shown.set(0);
        Self {
            serving: Arc::default(),
            drain,
            shown,
        }
    }

    /// Sets what the probes found; once the end has begun, nothing is ready any more.
    pub(crate) fn set(&self, ready: bool) {
        let ready = ready && !self.drain.has_begun();
        if self.serving.now.swap(ready, Ordering::SeqCst) != ready {
            self.shown.set(u8::from(ready));
            self.serving.changed.notify_waiters();
        }
    }

    /// Whether calls are welcome.
    pub(crate) fn is_ready(&self) -> bool {
        self.probed() && !self.drain.has_begun()
    }

    /// Waits until calls are welcome.
    pub(crate) async fn ready(&self) {
        loop {
            let mut change = pin!(self.change());
            // From here on no change is missed.
            change.as_mut().enable();
            if self.probed() {
                return;
            }
            change.await;
        }
    }

    /// What the probes last found.
    fn probed(&self) -> bool {
        self.serving.now.load(Ordering::SeqCst)
    }

    /// The next change of that.
    fn change(&self) -> Notified<'_> {
        self.serving.changed.notified()
    }
}

/// The health service.
#[derive(Debug, Clone)]
pub(crate) struct HealthService {
    names: BTreeSet<String>,
    readiness: Readiness,
}

impl HealthService {
    /// Answers for the server as a whole and for each of these services.
    pub(crate) fn new(names: impl IntoIterator<Item = String>, readiness: Readiness) -> Self {
        let own = [String::new(), LIVENESS.to_owned()];
        let names = names.into_iter().chain(own).collect();
        Self { names, readiness }
    }

    /// What is true of a service now.
    fn state(&self, name: &str) -> HealthCheckResponse {
        answer(status(name == LIVENESS || self.readiness.is_ready()))
    }
}

fn answer(status: ServingStatus) -> HealthCheckResponse {
    HealthCheckResponse {
        status: status.into(),
    }
}

const fn status(ready: bool) -> ServingStatus {
    if ready {
        ServingStatus::Serving
    } else {
        ServingStatus::NotServing
    }
}

#[tonic::async_trait]
impl Health for HealthService {
    async fn check(
        &self,
        request: Request<HealthCheckRequest>,
    ) -> Result<Response<HealthCheckResponse>, Status> {
        let name = request.into_inner().service;
        if !self.names.contains(&name) {
            return Err(Status::not_found(format!(
                "there is no service {name:?} here"
            )));
        }
        Ok(Response::new(self.state(&name)))
    }

    async fn list(
        &self,
        _: Request<HealthListRequest>,
    ) -> Result<Response<HealthListResponse>, Status> {
        let names = self.names.iter();
        let statuses = names.map(|name| (name.clone(), self.state(name)));
        Ok(Response::new(HealthListResponse {
            statuses: statuses.collect(),
        }))
    }

    type WatchStream = BoxStream<'static, Result<HealthCheckResponse, Status>>;

    async fn watch(
        &self,
        request: Request<HealthCheckRequest>,
    ) -> Result<Response<Self::WatchStream>, Status> {
        let name = request.into_inner().service;
        let follower = Follower {
            about: match name.as_str() {
                LIVENESS => About::Liveness,
                name if self.names.contains(name) => About::Readiness,
                _ => About::Nothing,
            },
            readiness: self.readiness.clone(),
            told: None,
            over: false,
        };
        let stream = futures::stream::unfold(follower, |mut follower| async move {
            let message = follower.next().await?;
            Some((message, follower))
        });
        Ok(Response::new(stream.boxed()))
    }
}

/// What a name that is watched stands for. The services of a server are fixed, so that never changes.
#[derive(Clone, Copy)]
enum About {
    Readiness,
    Liveness,
    /// There is no such service; the call stays open all the same, as the protocol asks.
    Nothing,
}

/// Who watches one service.
struct Follower {
    about: About,
    readiness: Readiness,
    told: Option<ServingStatus>,
    over: bool,
}

impl Follower {
    /// The next message: what has changed, then that the service ends, and nothing more. Nobody misses
    /// that it serves no more, however soon the end comes.
    async fn next(&mut self) -> Option<Result<HealthCheckResponse, Status>> {
        if self.over {
            return None;
        }
        let drain = &self.readiness.drain;
        loop {
            let mut change = pin!(self.readiness.change());
            change.as_mut().enable();
            let closing = drain.token().is_cancelled();
            let now = match self.about {
                About::Nothing => ServingStatus::ServiceUnknown,
                About::Liveness => ServingStatus::Serving,
                About::Readiness => status(self.readiness.probed() && !closing),
            };
            if self.told.replace(now) != Some(now) {
                return Some(Ok(answer(now)));
            }
            if closing {
                self.over = true;
                return Some(Err(drain.status()));
            }
            tokio::select! {
                biased;
                () = change => {}
                () = drain.token().cancelled() => {}
            }
        }
    }
}
