//! How much work the service takes on at one time.
//!
//! Unary calls are bounded by a limit that adapts to how long they take (`gradient` decides, `window`
//! measures); within it, sheddable calls get the least and critical ones the most, so they are refused in
//! that order, and none is refused because of others that matter less (`occupancy` counts), short of the most that is
//! allowed. Streams last and cost little while they are silent: they have a plain bound of their own. Those of health
//! and reflection have another one of the same size, so that neither kind takes the places of the other.

mod gradient;
mod occupancy;
mod window;

use crate::config::AdmissionSettings;
use crate::status::{Domain, Refusal};
use cleave_mesh::policy::{Criticality, MethodPolicy};
use gradient::Gradient;
use metrics::{Counter, Gauge, counter, gauge};
pub(crate) use occupancy::MOST as MOST_CALLS;
use occupancy::{Bounds, Occupancy};
use serde::Serialize;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tokio::time::Instant;
use window::Measure;

/// Where the host's own refusals belong.
const MESH: Domain = Domain::new("mesh.cleave");

/// Up to which part of the limit, in percent, calls of each criticality and above are let in, and when those who are
/// not should come back.
///
/// When the limit falls, critical calls wait behind all that was let in before; they are not refused for that.
const fn share(criticality: Criticality) -> (u32, Duration) {
    match criticality {
        Criticality::Sheddable => (60, Duration::from_millis(1_000)),
        Criticality::Default => (80, Duration::from_millis(250)),
        Criticality::Critical => (200, Duration::from_millis(50)),
    }
}

/// How much work the service takes on. Clones are the same object.
#[derive(Debug, Clone)]
pub(crate) struct Admission {
    inner: Arc<Inner>,
}

#[derive(Debug)]
struct Inner {
    max_streams: u32,
    adaptive: bool,
    start: Instant,
    max_calls: u32,
    limit: AtomicU32,
    calls: Occupancy,
    streams: AtomicU32,
    own_streams: AtomicU32,
    measure: Measure,
    gradient: Mutex<Gradient>,
    metrics: Metrics,
}

#[derive(Debug)]
struct Metrics {
    limit: Gauge,
    shed: [Counter; 3],
    streams_refused: Counter,
}

/// What the admin port shows.
#[derive(Debug, Clone, Copy, Serialize)]
pub(crate) struct Load {
    limit: u32,
    calls: u32,
    streams: u32,
    /// Of health and reflection.
    own_streams: u32,
}

/// The place of one call, free again once dropped.
#[derive(Debug)]
pub(crate) struct Permit {
    inner: Arc<Inner>,
    place: Place,
}

#[derive(Debug)]
enum Place {
    Call {
        criticality: Criticality,
        began: Instant,
    },
    Stream,
    OwnStream,
}

impl Admission {
    pub(crate) fn new(service: &str, settings: &AdmissionSettings) -> Self {
        let shed = |criticality: &'static str| counter!("cleave.server.calls_shed", "service" => service.to_owned(), "criticality" => criticality);
        let metrics = Metrics {
            limit: gauge!("cleave.server.calls_limit", "service" => service.to_owned()),
            shed: ["sheddable", "default", "critical"].map(shed),
            streams_refused: counter!("cleave.server.streams_refused", "service" => service.to_owned()),
        };
        metrics.limit.set(settings.max_calls);
        let gradient = Gradient::new(
            settings.min_calls..=settings.max_calls,
            settings.tolerated_latency,
        );
        Self {
            inner: Arc::new(Inner {
                max_streams: settings.max_streams,
                adaptive: settings.adaptive,
                start: Instant::now(),
                max_calls: settings.max_calls,
                limit: AtomicU32::new(settings.max_calls),
                calls: Occupancy::default(),
                streams: AtomicU32::new(0),
                own_streams: AtomicU32::new(0),
                measure: Measure::default(),
                gradient: Mutex::new(gradient),
                metrics,
            }),
        }
    }

    /// What there is now.
    pub(crate) fn load(&self) -> Load {
        Load {
            limit: self.inner.limit.load(Ordering::Relaxed),
            calls: self.inner.calls.total(),
            streams: self.inner.streams.load(Ordering::Relaxed),
            own_streams: self.inner.own_streams.load(Ordering::Relaxed),
        }
    }

    /// Takes on a stream of health or reflection.
    ///
    /// # Errors
    /// When there are too many already; with the time to come back.
    pub(crate) fn admit_own(&self, path: &str) -> Result<Permit, Box<Refusal>> {
        let method = path.trim_start_matches('/');
        self.admit_stream(&self.inner.own_streams, method, Place::OwnStream)
    }

    fn admit_stream(
        &self,
        open: &AtomicU32,
        method: &str,
        place: Place,
    ) -> Result<Permit, Box<Refusal>> {
        let limit = self.inner.max_streams;
        if !enter(open, limit) {
            self.inner.metrics.streams_refused.increment(1);
            return Err(Box::new(too_many_streams(method, limit)));
        }
        Ok(self.permit(place))
    }

    /// Takes the call on.
    ///
    /// # Errors
    /// When there is too much already; with the time to come back.
    pub(crate) fn admit(&self, method: &MethodPolicy) -> Result<Permit, Box<Refusal>> {
        let inner = &self.inner;
        if !method.is_unary() {
            return self.admit_stream(&inner.streams, method.name(), Place::Stream);
        }
        let criticality = method.criticality;
        let (percent, delay) = share(criticality);
        let bounds = Bounds {
            peers: part(inner.limit.load(Ordering::Relaxed), percent),
            all: part(inner.max_calls, percent.min(100)),
        };
        if !inner.calls.enter(criticality, bounds) {
            inner.metrics.shed(criticality).increment(1);
            return Err(Box::new(overloaded(method, delay)));
        }
        Ok(self.permit(Place::Call {
            criticality,
            began: Instant::now(),
        }))
    }

    fn permit(&self, place: Place) -> Permit {
        Permit {
            inner: Arc::clone(&self.inner),
            place,
        }
    }
}

/// So many percent of the limit, at least one.
fn part(limit: u32, percent: u32) -> u32 {
    let part = (u64::from(limit) * u64::from(percent)).div_ceil(100);
    u32::try_from(part).unwrap_or(limit)
}

/// Counts one more, unless there are `limit` already.
fn enter(count: &AtomicU32, limit: u32) -> bool {
    let next = |now: u32| (now < limit).then_some(now + 1);
    count
        .fetch_update(Ordering::Relaxed, Ordering::Relaxed, next)
        .is_ok()
}

impl Metrics {
    const fn shed(&self, criticality: Criticality) -> &Counter {
        let [sheddable, default, critical] = &self.shed;
        match criticality {
            Criticality::Sheddable => sheddable,
            Criticality::Default => default,
            Criticality::Critical => critical,
        }
    }
}

impl Inner {
    /// Takes note of the time that a call took, and of the new limit when a window is full.
    fn record(&self, took: Duration) {
        if !self.adaptive {
            return;
        }
        let now = self.start.elapsed();
        let calls = self.calls.total();
        // Whoever comes to a full window while another closes it has nothing to do.
        if self.measure.record(took, calls, now)
            && let Ok(mut gradient) = self.gradient.try_lock()
            && let Some(window) = self.measure.close(now)
        {
            let limit = gradient.observe(&window, now);
            let before = self.limit.swap(limit, Ordering::Relaxed);
            if before != limit {
                self.metrics.limit.set(limit);
            }
        }
    }
}

impl Drop for Permit {
    fn drop(&mut self) {
        match self.place {
            Place::Call { criticality, began } => {
                self.inner.record(began.elapsed());
                self.inner.calls.leave(criticality);
            }
            Place::Stream => {
                self.inner.streams.fetch_sub(1, Ordering::Relaxed);
            }
            Place::OwnStream => {
                self.inner.own_streams.fetch_sub(1, Ordering::Relaxed);
            }
        }
    }
}

fn overloaded(method: &MethodPolicy, delay: Duration) -> Refusal {
    // Half as much or half as much again, so that those refused together do not come back together.
    let delay = delay.mul_f64(0.5 + fastrand::f64());
    let message = "the service has as much work as it can do; come back later";
    MESH.exhausted("OVERLOADED", message, delay)
        .meta("method", method.name())
        .meta(
            "criticality",
            format!("{:?}", method.criticality).to_uppercase(),
        )
}

fn too_many_streams(method: &str, limit: u32) -> Refusal {
    let message = format!("the service has {limit} streams open, as many as it can");
    MESH.exhausted("STREAMS_EXHAUSTED", message, Duration::from_secs(1))
        .meta("method", method)
        .meta("limit", limit)
}
