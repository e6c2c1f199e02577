//! The buckets of histograms: those of gRPC's metrics designs, and coarser ones for what the design does not know.

use cleave_mesh::metrics::{BUCKETS, LATENCY_BUCKETS};

/// Seconds that a step of the service's own takes: a transaction, a tick.
const STEPS: [f64; 12] = [
    0.001, 0.002, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 5.0, 30.0,
];

/// Things that are done together.
const TOGETHER: [f64; 9] = [1.0, 2.0, 4.0, 8.0, 16.0, 32.0, 64.0, 128.0, 256.0];

/// Names in full, with their buckets.
const OWN: [(&str, &[f64]); 4] = [
    ("cleave.task.duration", &STEPS),
    ("storage_transaction_seconds", &STEPS),
    ("storage_gather_batch_size", &TOGETHER),
    ("billing_ledger_batch_commands", &TOGETHER),
];

/// The buckets of the histogram of this name, in ascending order; those for latency, when nobody has said.
pub(super) fn of(name: &str) -> &'static [f64] {
    let own = OWN.iter().find(|(own, _)| *own == name);
    let designed = || BUCKETS.iter().find(|(end, _)| name.ends_with(end));
    own.or_else(designed)
        .map_or(&LATENCY_BUCKETS, |(_, buckets)| buckets)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_buckets_ascend() {
        for (name, buckets) in OWN.iter().chain(&BUCKETS) {
            assert!(buckets.is_sorted_by(|a, b| a < b), "{name}");
        }
    }

    #[test]
    fn the_longest_end_of_a_name_decides_unless_the_whole_is_known() {
        assert_eq!(of("cleave.task.duration"), STEPS);
        assert_eq!(of("grpc.client.call.duration"), LATENCY_BUCKETS);
        assert_eq!(of("grpc.client.call.transparent_retries").len(), 6);
        assert_eq!(of("grpc.client.call.retries").len(), 5);
        assert_eq!(of("storage_gather_batch_size"), TOGETHER);
    }
}
