//! What each metric means, for those who look at them.

use metrics::{Unit, describe_counter, describe_gauge, describe_histogram};

/// Tells the recorder what the metrics mean.
pub(crate) fn describe() {
    describe_counter!("grpc.server.call.started", "Calls begun");
    describe_histogram!(
        "grpc.server.call.duration",
        Unit::Seconds,
        "Time of each call"
    );
    describe_histogram!(
        "grpc.server.call.sent_total_compressed_message_size",
        Unit::Bytes,
        "Bytes of messages sent in each call"
    );
    describe_histogram!(
        "grpc.server.call.rcvd_total_compressed_message_size",
        Unit::Bytes,
        "Bytes of messages received in each call"
    );
    describe_gauge!(
        "cleave.build_info",
        "Always 1; which version, commit and contract each service is"
    );
    describe_gauge!("cleave.server.connections", "Connections open now");
    describe_counter!(
        "cleave.server.connections_refused",
        "Connections closed at once because there were too many, or nobody to serve them"
    );
    describe_counter!(
        "cleave.server.connections_ended",
        "Connections ended by this side, by reason"
    );
    describe_counter!(
        "cleave.server.handshake_failures",
        "Clients that did not shake hands, or not in time"
    );
    describe_gauge!("cleave.server.calls", "Calls being handled now");
    describe_gauge!(
        "cleave.server.calls_limit",
        "Most unary calls taken on at one time, as it stands"
    );
    describe_counter!(
        "cleave.server.calls_shed",
        "Calls refused because there was too much work, by criticality"
    );
    describe_counter!(
        "cleave.server.streams_refused",
        "Streams refused because there were too many"
    );
    describe_counter!(
        "cleave.tls.reloads",
        "Readings of changed credentials, by outcome"
    );
    describe_gauge!(
        "cleave.tls.certificate_expiry_timestamp_seconds",
        Unit::Seconds,
        "When each certificate expires, since the epoch"
    );
    describe_gauge!("cleave.server.ready", "Whether calls are welcome: 1 or 0");
    describe_gauge!(
        "cleave.server.draining",
        "Whether the service is on its way out: 1 or 0"
    );
    describe_gauge!(
        "cleave.server.probe_ok",
        "Whether each readiness probe passed when it was last asked: 1 or 0"
    );
    describe_gauge!(
        "cleave.figures_timestamp_seconds",
        Unit::Seconds,
        "When the figures of the database among the metrics were last read, since the epoch"
    );
    describe_counter!("cleave.task.runs", "Ticks of each task, by outcome");
    describe_histogram!("cleave.task.duration", Unit::Seconds, "Time of each tick");
}
