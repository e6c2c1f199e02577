//! What the caller's half counts, under the names of gRPC's metrics designs: A66 for calls and attempts, A96
//! for what repeats them, A94 for connections, A91 for ejections. What has no name there begins with
//! `cleave.client`.
//!
//! Labels are bounded: methods of the contracts (others are `other`), peers as configured, and closed sets.
//! No address is a label, since addresses come and go. Each series is looked up once; to record is an
//! atomic addition.

mod books;
mod call;
mod describe;
mod failures;
mod labels;
mod method;
mod peer;

pub(crate) use books::Books;
pub(crate) use call::{AttemptMeter, CallMeter};
pub use describe::describe;
pub(crate) use labels::{Ejection, Pick, Reason};
pub(crate) use method::{Denial, PeerMetrics};
pub(crate) use peer::{PeerMeter, retry_tokens};

use crate::policy::MethodPolicy;
use std::sync::OnceLock;
use tonic::Code;

/// The method label of calls that the contracts do not know.
const OTHER: &str = "other";

/// Latency buckets of the design, in seconds.
pub const LATENCY_BUCKETS: [f64; 41] = [
    0.0, 0.000_01, 0.000_05, 0.000_1, 0.000_3, 0.000_6, 0.000_8, 0.001, 0.002, 0.003, 0.004, 0.005,
    0.006, 0.008, 0.01, 0.013, 0.016, 0.02, 0.025, 0.03, 0.04, 0.05, 0.065, 0.08, 0.1, 0.13, 0.16,
    0.2, 0.25, 0.3, 0.4, 0.5, 0.65, 0.8, 1.0, 2.0, 5.0, 10.0, 20.0, 50.0, 100.0,
];

/// Size buckets of the design, in bytes.
pub const SIZE_BUCKETS: [f64; 15] = [
    0.0,
    1_024.0,
    2_048.0,
    4_096.0,
    16_384.0,
    65_536.0,
    262_144.0,
    1_048_576.0,
    4_194_304.0,
    16_777_216.0,
    67_108_864.0,
    268_435_456.0,
    1_073_741_824.0,
    4_294_967_296.0,
    17_179_869_184.0,
];

/// Buckets of retries and hedges, as the design recommends.
pub const RETRY_BUCKETS: [f64; 5] = [1.0, 2.0, 3.0, 4.0, 5.0];

/// Buckets of transparent retries, as the design recommends.
pub const TRANSPARENT_RETRY_BUCKETS: [f64; 6] = [1.0, 2.0, 3.0, 4.0, 5.0, 10.0];

/// How the name of a histogram tells its buckets: the part that it ends with, the longest first.
pub const BUCKETS: [(&str, &[f64]); 6] = [
    ("call.transparent_retries", &TRANSPARENT_RETRY_BUCKETS),
    ("call.retries", &RETRY_BUCKETS),
    ("call.hedges", &RETRY_BUCKETS),
    ("retry_delay", &LATENCY_BUCKETS),
    ("message_size", &SIZE_BUCKETS),
    ("duration", &LATENCY_BUCKETS),
];

/// The name of a status code in labels.
#[must_use]
pub const fn code_name(code: Code) -> &'static str {
    match code {
        Code::Ok => "OK",
        Code::Cancelled => "CANCELLED",
        Code::Unknown => "UNKNOWN",
        Code::InvalidArgument => "INVALID_ARGUMENT",
        Code::DeadlineExceeded => "DEADLINE_EXCEEDED",
        Code::NotFound => "NOT_FOUND",
        Code::AlreadyExists => "ALREADY_EXISTS",
        Code::PermissionDenied => "PERMISSION_DENIED",
        Code::ResourceExhausted => "RESOURCE_EXHAUSTED",
        Code::FailedPrecondition => "FAILED_PRECONDITION",
        Code::Aborted => "ABORTED",
        Code::OutOfRange => "OUT_OF_RANGE",
        Code::Unimplemented => "UNIMPLEMENTED",
        Code::Internal => "INTERNAL",
        Code::Unavailable => "UNAVAILABLE",
        Code::DataLoss => "DATA_LOSS",
        Code::Unauthenticated => "UNAUTHENTICATED",
    }
}

/// Number of status codes.
const CODES: usize = 17;

/// Something made once for each status code, when it first occurs.
#[derive(Debug)]
pub struct ByStatus<T>([OnceLock<T>; CODES]);

impl<T> Default for ByStatus<T> {
    fn default() -> Self {
        Self(std::array::from_fn(|_| OnceLock::new()))
    }
}

impl<T> ByStatus<T> {
    /// What belongs to the code.
    pub fn get(&self, code: Code, make: impl FnOnce() -> T) -> &T {
        let index = usize::try_from(i32::from(code)).unwrap_or(0);
        self.0[index.min(CODES - 1)].get_or_init(make)
    }
}

/// The method label of a call.
#[must_use]
pub fn method_name(method: Option<&'static MethodPolicy>) -> &'static str {
    method.map_or(OTHER, MethodPolicy::name)
}

/// A number of bytes as histograms take it; exact up to 4 GiB.
#[must_use]
pub fn size(bytes: u64) -> f64 {
    u32::try_from(bytes).map_or(f64::from(u32::MAX), f64::from)
}
