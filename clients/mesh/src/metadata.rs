//! The names under which the mesh puts things into the metadata of a call.

/// How long the caller will wait, in the form of gRPC's specification.
pub const GRPC_TIMEOUT: &str = "grpc-timeout";
/// How many attempts preceded this one.
pub const PREVIOUS_ATTEMPTS: &str = "grpc-previous-rpc-attempts";
/// A server's word on when, or whether, to try again.
pub const RETRY_PUSHBACK_MS: &str = "grpc-retry-pushback-ms";
/// The status code of a call.
pub const GRPC_STATUS: &str = "grpc-status";
/// The sentence that goes with the status.
pub const GRPC_MESSAGE: &str = "grpc-message";
/// The encoded `google.rpc.Status` of a refusal.
pub const GRPC_STATUS_DETAILS: &str = "grpc-status-details-bin";
/// W3C trace context.
pub const TRACEPARENT: &str = "traceparent";
/// W3C trace state, passed on as it came.
pub const TRACESTATE: &str = "tracestate";
/// The workloads through which a call came, separated by commas, the one that calls last: it is believed only until
/// connections carry identities. Behind a name may stand `;` and [`RETRIES`].
pub const HOPS: &str = "cleave-hops";
/// Behind a hop's name: that workload repeats the call when it fails, so nobody below should.
pub const RETRIES: &str = "retries";
/// With an answer: how old it is, in milliseconds, when it came out of the caller's own cache.
pub const CACHED_AGE_MS: &str = "cleave-cached-age-ms";
/// In the trailers of a server that is about to end: turn to another replica now.
pub const DRAINING: &str = "cleave-draining";
