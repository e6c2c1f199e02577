//! The policy of a method: how long it may take, when it may be repeated, who may call it.
//!
//! Everything here is plain `const` data. The contracts' build script reads the options of each method
//! and emits one `static` table of [`MethodPolicy`]; client layers, server layers and documentation
//! read that table and nothing else.

use std::time::Duration;

pub use tonic::Code;

/// What the contract says about one method.
#[derive(Clone, Copy, Debug)]
pub struct MethodPolicy {
    /// The gRPC path, `/package.Service/Method`.
    pub path: &'static str,
    /// The longest a call may take; absent for streams that have no natural end.
    pub timeout: Option<Duration>,
    /// When and how often a failed call is repeated.
    pub retry: Option<RetryPolicy>,
    /// When a slow call is sent a second time.
    pub hedging: Option<HedgingPolicy>,
    /// What the caller does while the peer cannot be reached.
    pub on_unavailable: OnUnavailable,
    /// Which calls go first when there is too much work.
    pub criticality: Criticality,
    /// The workloads that may call this method.
    pub callers: &'static [&'static str],
    /// Whether repeating the call is harmless.
    pub idempotency: Idempotency,
    /// The request is a stream of messages.
    pub client_streaming: bool,
    /// The response is a stream of messages.
    pub server_streaming: bool,
    /// What its messages look like on the wire, in short: methods with the same fingerprint understand each
    /// other. Zero when nothing is known of them.
    pub fingerprint: u64,
}

/// Repeats after a failure, as gRPC's retry design (A6) defines them.
///
/// To have been silent for half of the time that is left counts as a failure too, where another replica can be asked:
/// then the next attempt goes there while the first stays out, without a backoff. It is one of `max_attempts`, is
/// paid for out of the peer's retry budget, and never happens to a streamed answer.
#[derive(Clone, Copy, Debug)]
pub struct RetryPolicy {
    /// The number of attempts in all, the first included.
    pub max_attempts: u32,
    /// The status codes after which another attempt is made.
    pub codes: &'static [Code],
    /// The wait before the second attempt.
    pub initial_backoff: Duration,
    /// The longest wait between two attempts.
    pub max_backoff: Duration,
    /// The growth of the wait from one attempt to the next, in percent: 200 doubles it.
    pub multiplier_percent: u32,
}

/// A second copy of a call that has not answered in time.
#[derive(Clone, Copy, Debug)]
pub struct HedgingPolicy {
    /// The number of copies in all, the first included.
    pub max_attempts: u32,
    /// The wait before the next copy is sent.
    pub delay: Duration,
    /// Status codes that do not end the call while other copies are out.
    pub non_fatal_codes: &'static [Code],
}

/// What a caller does while the peer cannot be reached.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OnUnavailable {
    /// The call fails.
    Refuse,
    /// The last answer is used while it is no older than `max_age`.
    Cache {
        /// The age at which an answer stops being usable.
        max_age: Duration,
    },
    /// The caller keeps the request in its own outbox and sends it later.
    Queue,
}

/// Which calls go first when there is too much work.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Default)]
pub enum Criticality {
    /// Shed first: nobody waits for it.
    Sheddable,
    /// The usual.
    #[default]
    Default,
    /// Shed last: money or serving depends on it.
    Critical,
}

/// Whether repeating a call is harmless.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub enum Idempotency {
    /// Nothing is promised: never repeated once it may have been received.
    #[default]
    Unknown,
    /// A read.
    NoSideEffects,
    /// A write whose repetition has no further effect.
    Idempotent,
}

impl Idempotency {
    /// Whether a call may be sent again although the first one may have been carried out.
    #[must_use]
    pub const fn is_repeatable(self) -> bool {
        matches!(self, Self::NoSideEffects | Self::Idempotent)
    }
}

impl MethodPolicy {
    /// A unary method that promises nothing: no timeout, no retry, no named caller.
    #[must_use]
    pub const fn new(path: &'static str) -> Self {
        Self {
            path,
            timeout: None,
            retry: None,
            hedging: None,
            on_unavailable: OnUnavailable::Refuse,
            criticality: Criticality::Default,
            callers: &[],
            idempotency: Idempotency::Unknown,
            client_streaming: false,
            server_streaming: false,
            fingerprint: 0,
        }
    }

    /// The name that metrics and logs use: the path without its first slash.
    #[must_use]
    pub fn name(&self) -> &'static str {
        self.path.strip_prefix('/').unwrap_or(self.path)
    }

    /// Whether one message is answered by one message.
    #[must_use]
    pub const fn is_unary(&self) -> bool {
        !self.client_streaming && !self.server_streaming
    }
}

/// The policies of all methods of the contracts, looked up by path.
#[derive(Clone, Copy, Debug)]
pub struct PolicyTable {
    methods: &'static [MethodPolicy],
    shape: &'static [u8],
    fingerprint: u64,
}

impl PolicyTable {
    /// A table over methods that are sorted by path.
    ///
    /// # Panics
    /// When two neighbours are out of order or alike; in a `static`, that fails the build.
    #[must_use]
    pub const fn new(methods: &'static [MethodPolicy]) -> Self {
        let mut i = 1;
        while i < methods.len() {
            assert!(
                less(methods[i - 1].path.as_bytes(), methods[i].path.as_bytes()),
                "policies must be sorted by path, each path once"
            );
            i += 1;
        }
        Self {
            methods,
            shape: &[],
            fingerprint: 0,
        }
    }

    /// The same with what the messages of all methods look like, as an encoded `cleave.mesh.v1.Shape`.
    #[must_use]
    pub const fn with_shape(self, shape: &'static [u8]) -> Self {
        Self { shape, ..self }
    }

    /// The same with the fingerprint of the contracts as a whole.
    #[must_use]
    pub const fn with_fingerprint(self, fingerprint: u64) -> Self {
        Self {
            fingerprint,
            ..self
        }
    }

    /// What all methods look like on the wire, in short: builds with the same fingerprint understand each other in
    /// every call. Zero when that is not known.
    #[must_use]
    pub const fn fingerprint(&self) -> u64 {
        self.fingerprint
    }

    /// What the messages of all methods look like; empty when that is not known.
    #[must_use]
    pub const fn shape(&self) -> &'static [u8] {
        self.shape
    }

    /// The policy of the method at this path.
    #[must_use]
    pub fn get(&self, path: &str) -> Option<&'static MethodPolicy> {
        self.at(self.position(path)?)
    }

    /// The policy of the method at this place.
    #[must_use]
    pub fn at(&self, index: usize) -> Option<&'static MethodPolicy> {
        self.methods.get(index)
    }

    /// The place of the method at this path among all methods.
    #[must_use]
    pub fn position(&self, path: &str) -> Option<usize> {
        let methods = self.methods;
        methods
            .binary_search_by(|policy| policy.path.cmp(path))
            .ok()
    }

    /// The number of methods.
    #[must_use]
    pub const fn len(&self) -> usize {
        self.methods.len()
    }

    /// Whether there are no methods.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.methods.is_empty()
    }

    /// All methods, in the order of their paths.
    pub fn iter(&self) -> impl Iterator<Item = &'static MethodPolicy> + use<> {
        self.methods.iter()
    }
}

/// Whether `a` sorts before `b`; `Ord` is not usable in constants.
const fn less(a: &[u8], b: &[u8]) -> bool {
    let mut i = 0;
    while i < a.len() && i < b.len() {
        if a[i] != b[i] {
            return a[i] < b[i];
        }
        i += 1;
    }
    a.len() < b.len()
}

#[cfg(test)]
mod tests {
    use super::*;

    static TABLE: PolicyTable = PolicyTable::new(&[
        MethodPolicy::new("/a.A/Get"),
        MethodPolicy::new("/a.A/GetAll"),
        MethodPolicy::new("/b.B/Get"),
    ]);

    #[test]
    fn every_path_of_a_table_is_found_and_no_other() {
        for policy in TABLE.iter() {
            assert_eq!(
                TABLE.get(policy.path).map(|found| found.path),
                Some(policy.path)
            );
        }
        assert!(TABLE.get("/a.A/Ge").is_none());
        assert!(TABLE.get("").is_none());
    }

    #[test]
    #[should_panic(expected = "sorted")]
    fn a_table_out_of_order_is_refused() {
        static WRONG: [MethodPolicy; 2] =
            [MethodPolicy::new("/b.B/Get"), MethodPolicy::new("/a.A/Get")];
        let _ = PolicyTable::new(&WRONG);
    }
}
