//! The admin port: metrics, probes, and the state of the service as JSON.
//!
//! It speaks plaintext always, and answers gRPC's health service beside its pages: orchestrators' probes know no
//! TLS, so they could not ask the port that serves calls.
//!
//! Whoever reaches the port may read how the service fares. What shows messages, or changes something, is for this
//! machine alone ([`Near`]), unless the configuration opens it by name.

mod near;
mod serve;

use crate::admission::Admission;
use crate::drain::Drain;
use crate::health::pb::health_server::HealthServer;
use crate::health::{HealthService, Readiness};
use crate::probe::Probes;
use crate::release;
use crate::serve::Census;
use crate::tap::{self, Contracts, Taps};
use crate::task::Driver;
use crate::telemetry::{self, LevelError};
use axum::Json;
use axum::Router;
use axum::extract::rejection::QueryRejection;
use axum::extract::{Query, State};
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{Html, IntoResponse, Response};
use axum::routing::get;
use cleave_kernel::{Clock as _, SystemClock, Timestamp};
use cleave_mesh::tls::Credentials;
use flate2::Compression;
use flate2::write::GzEncoder;
use near::Near;
use serde_json::{Map, Value, json};
pub(crate) use serve::serve;
use std::io::Write as _;
use std::net::SocketAddr;
use std::sync::{Arc, LazyLock};
use tonic::server::NamedService as _;

/// The content type that Prometheus asks for.
const PROMETHEUS_TEXT: &str = "text/plain; version=0.0.4; charset=utf-8";

const INDEX: &str = "<!doctype html><title>admin</title><ul>\
    <li><a href=/metrics>/metrics</a> for Prometheus\
    <li><a href=/healthz>/healthz</a> whether the process lives\
    <li><a href=/readyz>/readyz</a> whether calls are welcome, and what stands in the way\
    <li><a href=/mesh>/mesh</a> the state of the service\
    <li>/grpc.health.v1.Health, by gRPC: what probes ask, also of a service that speaks TLS\
    <li>/tap?method=&amp;caller=&amp;code=&amp;min_ms=&amp;limit= calls as they end, with their messages\
    <li><a href=/log>/log</a> what is logged; PUT directives such as info,sqlx=warn to change it</ul>";

/// When this process came to know itself.
static STARTED: LazyLock<Timestamp> = LazyLock::new(|| SystemClock.now());

/// A part of `/mesh` that a service adds.
pub(crate) struct Section {
    pub(crate) name: &'static str,
    pub(crate) show: Box<dyn Fn() -> Value + Send + Sync>,
}

/// What the admin port shows.
#[derive(Clone)]
pub(crate) struct Admin {
    /// Whether other machines may do what this one may.
    pub(crate) remote_control: bool,
    pub(crate) name: Arc<str>,
    pub(crate) contract: Arc<str>,
    pub(crate) listen: SocketAddr,
    pub(crate) readiness: Readiness,
    pub(crate) probes: Probes,
    pub(crate) drain: Drain,
    pub(crate) tasks: Driver,
    pub(crate) admission: Admission,
    pub(crate) credentials: Option<Credentials>,
    pub(crate) census: Census,
    pub(crate) taps: Taps,
    pub(crate) contracts: Arc<Contracts>,
    pub(crate) sections: Arc<[Section]>,
    pub(crate) health: HealthService,
}

impl Admin {
    /// The pages of the admin port.
    fn pages(self) -> Router {
        let health = format!("/{}/{{*method}}", HealthServer::<HealthService>::NAME);
        Router::new()
            .route_service(&health, HealthServer::new(self.health.clone()))
            .route("/", get(|| async { Html(INDEX) }))
            .route("/metrics", get(metrics))
            .route("/healthz", get(|| async { "ok\n" }))
            .route("/readyz", get(readyz))
            .route("/mesh", get(mesh))
            .route("/tap", get(tap_calls))
            .route("/log", get(log).put(set_log))
            .with_state(self)
    }
}

async fn metrics(headers: HeaderMap) -> Response {
    let text = telemetry::render();
    let kind = (header::CONTENT_TYPE, PROMETHEUS_TEXT);
    let accepted = headers.get(header::ACCEPT_ENCODING);
    let accepted = accepted.and_then(|value| value.to_str().ok());
    // Prometheus asks for it always, and the text shrinks to a thirtieth.
    if accepted.is_some_and(|value| value.contains("gzip"))
        && let Ok(packed) = packed(&text)
    {
        let packing = (header::CONTENT_ENCODING, "gzip");
        return ([kind, packing], packed).into_response();
    }
    ([kind], text).into_response()
}

fn packed(text: &str) -> std::io::Result<Vec<u8>> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
    encoder.write_all(text.as_bytes())?;
    encoder.finish()
}

async fn log() -> Result<String, (StatusCode, String)> {
    telemetry::level().map_err(|error| refusal(&error))
}

async fn set_log(_: Near, directives: String) -> Result<String, (StatusCode, String)> {
    telemetry::set_level(directives.trim()).map_err(|error| refusal(&error))?;
    log().await
}

async fn tap_calls(
    _: Near,
    State(admin): State<Admin>,
    query: Result<Query<tap::Query>, QueryRejection>,
) -> Response {
    // A drain that waits for its last calls can be watched; what is over cannot.
    let end = admin.drain.killed().clone();
    tap::stream(&admin.taps, admin.contracts, end, query)
}

fn refusal(error: &LevelError) -> (StatusCode, String) {
    let code = match error {
        LevelError::Foreign => StatusCode::CONFLICT,
        LevelError::Directives(_) => StatusCode::BAD_REQUEST,
    };
    (code, format!("{error}\n"))
}

async fn readyz(State(admin): State<Admin>) -> impl IntoResponse {
    let ready = admin.readiness.is_ready();
    let code = if ready {
        StatusCode::OK
    } else {
        StatusCode::SERVICE_UNAVAILABLE
    };
    let body = json!({
        "ready": ready,
        "draining": admin.drain.has_begun(),
        "probes": admin.probes.findings(),
    });
    (code, Json(body))
}

/// Who the service is, and for how long.
fn identity(credentials: &Credentials) -> Value {
    let snapshot = credentials.current();
    json!({
        "generation": snapshot.generation(),
        "identity": snapshot.workload().map(|own| snapshot.domain().id(own.name())),
        "not_after": snapshot.not_after().as_secs(),
    })
}

async fn mesh(State(admin): State<Admin>) -> Json<Value> {
    let tasks: Map<String, Value> = admin
        .tasks
        .states()
        .iter()
        .map(|state| (state.name().to_owned(), json!(state.known())))
        .collect();
    let mut body = json!({
        "service": admin.name.as_ref(),
        "version": release::VERSION,
        "commit": release::commit(),
        "contract": admin.contract.as_ref(),
        "now": SystemClock.now(),
        "process": { "id": std::process::id(), "started": *STARTED },
        "listen": admin.listen,
        "ready": admin.readiness.is_ready(),
        "draining": admin.drain.has_begun(),
        "probes": admin.probes.findings(),
        "tasks": tasks,
        "admission": admin.admission.load(),
        "tls": admin.credentials.as_ref().map(identity),
        "connections": admin.census.oldest(),
    });
    for section in admin.sections.iter() {
        body[section.name] = (section.show)();
    }
    Json(body)
}
