//! What a process says about itself: log lines, metrics, and traces when somebody collects them.
//!
//! All are the process's, not a service's: two services in one process share them, and installing them
//! twice changes nothing.

mod buckets;
mod otlp;
mod process;

pub use otlp::export;
pub(crate) use otlp::flush;

use crate::config::{LogFormat, TelemetrySettings};
use metrics_exporter_prometheus::{PrometheusBuilder, PrometheusHandle};
use std::io::IsTerminal as _;
use std::sync::OnceLock;
use std::time::Duration;
use tracing_subscriber::layer::SubscriberExt as _;
use tracing_subscriber::util::SubscriberInitExt as _;
use tracing_subscriber::{EnvFilter, Registry, reload};

/// The variable that goes before the configured level.
const LEVEL_VARIABLE: &str = "RUST_LOG";

/// How often records are folded into the buckets.
const UPKEEP: Duration = Duration::from_secs(1);

/// The filter of the process's log.
static LEVEL: OnceLock<reload::Handle<EnvFilter, Registry>> = OnceLock::new();

/// The process's recorder of metrics.
static RECORDER: OnceLock<PrometheusHandle> = OnceLock::new();

/// Starts log lines and metrics; the first call decides, later ones change nothing.
pub fn init(settings: &TelemetrySettings) {
    let filter = std::env::var(LEVEL_VARIABLE)
        .ok()
        .and_then(|directives| EnvFilter::try_new(directives).ok())
        .or_else(|| EnvFilter::try_new(&settings.level).ok())
        .unwrap_or_else(|| EnvFilter::new("info"));
    let human = match settings.format {
        LogFormat::Human => true,
        LogFormat::Json => false,
        LogFormat::Auto => std::io::stderr().is_terminal(),
    };
    let lines = tracing_subscriber::fmt::layer().with_writer(std::io::stderr);
    let (filter, level) = reload::Layer::new(filter);
    let registry = tracing_subscriber::registry().with(filter);
    let installed = if human {
        registry.with(lines.with_target(false)).try_init()
    } else {
        registry
            .with(lines.json().flatten_event(true).with_current_span(false))
            .try_init()
    };
    // An error means that a subscriber is there already: the process's, or a test's.
    if installed.is_ok() {
        // Nobody else sets it: only one subscriber can be installed.
        let _ = LEVEL.set(level);
    }
    metrics();
}

/// Why the level of the log cannot be read or changed.
#[derive(Debug, thiserror::Error)]
pub(crate) enum LevelError {
    /// The log was not started here.
    #[error("the log is not this program's to change")]
    Foreign,
    /// The text is no level.
    #[error("{0}; give a level or directives such as \"info,sqlx=warn\"")]
    Directives(String),
}

/// The directives by which lines are written.
pub(crate) fn level() -> Result<String, LevelError> {
    let level = LEVEL.get().ok_or(LevelError::Foreign)?;
    level
        .with_current(ToString::to_string)
        .map_err(|_| LevelError::Foreign)
}

/// Writes lines by these directives from now on.
pub(crate) fn set_level(directives: &str) -> Result<(), LevelError> {
    let level = LEVEL.get().ok_or(LevelError::Foreign)?;
    let filter = EnvFilter::try_new(directives)
        .map_err(|error| LevelError::Directives(error.to_string()))?;
    level.reload(filter).map_err(|_| LevelError::Foreign)?;
    tracing::warn!(directives, "the log is written by other directives");
    Ok(())
}

/// The process's metrics, ready to be rendered.
pub(crate) fn metrics() -> &'static PrometheusHandle {
    RECORDER.get_or_init(|| {
        // Buckets that are refused would be a mistake of this file; there are metrics all the same.
        let builder = buckets::builder().unwrap_or_else(|_| PrometheusBuilder::new());
        let recorder = builder.build_recorder();
        let handle = recorder.handle();
        keep_up(handle.clone());
        if metrics::set_global_recorder(recorder).is_err() {
            tracing::warn!("another recorder of metrics is installed; /metrics will be empty");
        }
        cleave_mesh::metrics::describe();
        crate::meter::describe();
        process::describe();
        handle
    })
}

/// The process's metrics as they are now, in the text format of Prometheus.
pub(crate) fn render() -> String {
    let metrics = metrics();
    process::collect();
    metrics.render()
}

/// Folds what was recorded into the buckets, from time to time for as long as the process lives: until then each
/// call takes memory of its own, and nobody need ever ask for the metrics.
#[expect(
    clippy::disallowed_methods,
    reason = "a thread of its own, which blocks no runtime"
)]
fn keep_up(handle: PrometheusHandle) {
    let keeping = move || {
        loop {
            std::thread::sleep(UPKEEP);
            handle.run_upkeep();
        }
    };
    let thread = std::thread::Builder::new().name("metrics".to_owned());
    if let Err(error) = thread.spawn(keeping) {
        tracing::warn!(%error, "metrics will grow until they are asked for");
    }
}
