//! What a process says about itself: log lines, metrics, and traces when somebody collects them.
//!
//! All are the process's, not a service's: two services in one process share them, and installing them
//! twice changes nothing.

mod buckets;
mod exposition;
mod histogram;
mod otlp;
mod process;
mod registry;

pub use otlp::export;
pub(crate) use otlp::flush;

use crate::config::{LogFormat, TelemetrySettings};
use registry::{Family, Series};
use std::io::IsTerminal as _;
use std::sync::{Arc, OnceLock};
use tracing_subscriber::layer::SubscriberExt as _;
use tracing_subscriber::util::SubscriberInitExt as _;
use tracing_subscriber::{EnvFilter, Registry, reload};

/// The variable that goes before the configured level.
const LEVEL_VARIABLE: &str = "RUST_LOG";

/// The filter of the process's log.
static LEVEL: OnceLock<reload::Handle<EnvFilter, Registry>> = OnceLock::new();

/// The process's metrics.
static SERIES: OnceLock<Arc<Series>> = OnceLock::new();

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

/// Starts metrics alone; once they are started, that changes nothing.
pub fn metrics() {
    series();
}

fn series() -> &'static Series {
    SERIES.get_or_init(|| {
        let series = Arc::new(Series::new());
        if metrics::set_global_recorder(Arc::clone(&series)).is_err() {
            tracing::warn!("another recorder of metrics is installed; /metrics will be empty");
        }
        cleave_mesh::metrics::describe();
        crate::meter::describe();
        process::describe();
        series
    })
}

/// The process's metrics as they are now, in the text format of Prometheus.
pub(crate) fn render() -> String {
    exposition::text(&families())
}

/// The process's metrics as they are now.
fn families() -> Vec<Family> {
    let series = series();
    process::collect();
    series.families()
}
