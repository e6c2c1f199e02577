//! Traces and metrics for an OpenTelemetry collector, by its own protocol over gRPC.
//!
//! What is sent never holds up a call, and no collector that is slow or away costs more than a bounded queue.

mod metrics;
mod traces;

use crate::config::TelemetrySettings;
use cleave_kernel::{Clock as _, SystemClock};
use opentelemetry::KeyValue;
use opentelemetry_sdk::Resource;
use std::sync::Once;
use std::time::Duration;

/// Sends traces and metrics of this process as those of `service`, if the settings name a collector. The first call
/// decides.
///
/// # Errors
/// When the address cannot be one.
///
/// # Panics
/// Outside a runtime: the connections to the collector live there.
pub fn export(service: &'static str, settings: &TelemetrySettings) -> anyhow::Result<()> {
    static FIRST: Once = Once::new();
    let settings = &settings.otlp;
    let mut outcome = Ok(());
    if !settings.endpoint.is_empty() {
        FIRST.call_once(|| {
            outcome =
                traces::export(service, settings).and_then(|()| metrics::export(service, settings));
        });
    }
    outcome
}

/// Sends what waits, if that takes neither `time` nor the configured timeout.
pub(crate) async fn flush(time: Duration) {
    tokio::join!(traces::flush(time), metrics::flush(time));
}

/// Who sends.
fn resource(service: &'static str) -> Resource {
    let version = KeyValue::new("service.version", env!("CARGO_PKG_VERSION"));
    let resource = Resource::builder().with_service_name(service);
    resource.with_attribute(version).build()
}

fn since_epoch() -> Duration {
    Duration::from_micros(u64::try_from(SystemClock.now().micros()).unwrap_or(0))
}
