//! What each metric means, for those who look at them.

use metrics::{Unit, describe_counter, describe_gauge, describe_histogram};

/// Counters and what they count.
const COUNTERS: [(&str, &str); 11] = [
    (
        "grpc.client.attempt.started",
        "Attempts begun by this client",
    ),
    (
        "grpc.subchannel.disconnections",
        "Connections that ended, by what ended them",
    ),
    (
        "grpc.subchannel.connection_attempts_succeeded",
        "Connections made",
    ),
    (
        "grpc.subchannel.connection_attempts_failed",
        "Attempts to connect that failed",
    ),
    (
        "grpc.lb.outlier_detection.ejections_enforced",
        "Replicas left alone, by what told that something is wrong",
    ),
    (
        "cleave.client.readmissions",
        "Replicas that were left alone and are trusted again",
    ),
    (
        "cleave.client.picks",
        "Replicas chosen for an attempt, by what was known of the chosen one",
    ),
    (
        "cleave.client.retries_denied",
        "Repetitions that policies allow and the bounds on all repetitions do not",
    ),
    (
        "cleave.client.call.failures",
        "Calls that failed, by what made them fail",
    ),
    (
        "cleave.client.contract.checks",
        "Connections opened, by how well the contracts of both sides agree",
    ),
    (
        "cleave.client.contract.skews",
        "Methods in which the contracts of both sides differ, for each connection opened",
    ),
];

/// Histograms, what they measure and in what.
const HISTOGRAMS: [(&str, Unit, &str); 8] = [
    (
        "grpc.client.attempt.duration",
        Unit::Seconds,
        "Time of each attempt",
    ),
    (
        "grpc.client.attempt.sent_total_compressed_message_size",
        Unit::Bytes,
        "Bytes of messages sent by each attempt",
    ),
    (
        "grpc.client.attempt.rcvd_total_compressed_message_size",
        Unit::Bytes,
        "Bytes of messages received by each attempt",
    ),
    (
        "grpc.client.call.duration",
        Unit::Seconds,
        "Time of each call, all of its attempts included",
    ),
    (
        "grpc.client.call.retries",
        Unit::Count,
        "Retries made by each call that made any",
    ),
    (
        "grpc.client.call.transparent_retries",
        Unit::Count,
        "Requests sent again because the peer never saw them, by each call that had any",
    ),
    (
        "grpc.client.call.hedges",
        Unit::Count,
        "Copies sent by each call that sent any",
    ),
    (
        "grpc.client.call.retry_delay",
        Unit::Seconds,
        "Time without an attempt under way, of each call that was tried again",
    ),
];

/// Gauges and what they show.
const GAUGES: [(&str, &str); 4] = [
    (
        "grpc.subchannel.open_connections",
        "Connections open now, by how safe they are",
    ),
    ("cleave.client.endpoints", "Replicas known now"),
    (
        "cleave.client.ejected_endpoints",
        "Replicas that are left alone now",
    ),
    (
        "cleave.client.retry_tokens",
        "What is left of the retry tokens; retries stop at half of the full bucket",
    ),
];

/// Tells the recorder what the metrics mean. Once per process, after the recorder is installed.
pub fn describe() {
    for (name, meaning) in COUNTERS {
        describe_counter!(name, meaning);
    }
    for (name, unit, meaning) in HISTOGRAMS {
        describe_histogram!(name, unit, meaning);
    }
    for (name, meaning) in GAUGES {
        describe_gauge!(name, meaning);
    }
}
