//! The buckets of histograms: those of gRPC's metrics designs, and coarser ones for what the design does not know.

use cleave_mesh::metrics::BUCKETS;
use metrics_exporter_prometheus::{BuildError, Matcher, PrometheusBuilder};

/// Seconds that a step of the service's own takes: a transaction, a tick.
const STEPS: [f64; 12] = [
    0.001, 0.002, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 5.0, 30.0,
];

/// Things that are done together.
const TOGETHER: [f64; 9] = [1.0, 2.0, 4.0, 8.0, 16.0, 32.0, 64.0, 128.0, 256.0];

/// Names in full, with their buckets. A histogram that is named nowhere would become a summary, whose quantiles of
/// several replicas nobody can add up.
const OWN: [(&str, &[f64]); 4] = [
    ("cleave.task.duration", &STEPS),
    ("storage_transaction_seconds", &STEPS),
    ("storage_gather_batch_size", &TOGETHER),
    ("billing_ledger_batch_commands", &TOGETHER),
];

/// A builder that knows them.
pub(super) fn builder() -> Result<PrometheusBuilder, BuildError> {
    let designed = BUCKETS
        .into_iter()
        .map(|(end, buckets)| (Matcher::Suffix(end.to_owned()), buckets));
    let own = OWN
        .into_iter()
        .map(|(name, buckets)| (Matcher::Full(name.to_owned()), buckets));
    designed
        .chain(own)
        .try_fold(PrometheusBuilder::new(), |builder, (names, buckets)| {
            builder.set_buckets_for_metric(names, buckets)
        })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_bucket_is_one_that_the_recorder_takes() {
        builder().expect("none is empty");
    }
}
