//! Watches every call: none outlives its deadline, every failure has a cause, and none of those that cannot
//! be.

use crate::world::World;
use cleave_contracts::POLICIES;
use cleave_mesh::{CallError, Cause};
use std::collections::BTreeMap;
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;
use tokio::time::Instant;
use tonic::Code;

/// What a call may take beyond its deadline: a timer's granularity.
const MARGIN: Duration = Duration::from_millis(3);

/// How the calls of a run went.
#[derive(Default)]
pub(crate) struct Tally {
    /// Calls of methods that may be repeated.
    pub(crate) calls: AtomicU64,
    /// How often such a call reached a handler.
    pub(crate) arrivals: AtomicU64,
    /// Meshes that were made; each has a budget for repetitions of its own.
    pub(crate) meshes: AtomicU64,
    pub(crate) failures: Mutex<BTreeMap<&'static str, u64>>,
    /// Calls that may not be repeated: how often each reached a handler, and how it ended.
    pub(crate) unrepeatable: Mutex<BTreeMap<String, (u32, Option<bool>)>>,
    /// When a read last failed, for each caller.
    pub(crate) last_failure: Mutex<BTreeMap<&'static str, Duration>>,
    pub(crate) successes: AtomicU64,
}

impl Tally {
    /// A call that may be repeated has reached a handler.
    pub(crate) fn arrived(&self) {
        self.arrivals.fetch_add(1, Ordering::Relaxed);
    }

    /// A mesh was made.
    pub(crate) fn mesh(&self) {
        self.meshes.fetch_add(1, Ordering::Relaxed);
    }
}

/// The time that a method's policy allows.
pub(crate) fn allowed(path: &str) -> Duration {
    let policy = POLICIES
        .get(path)
        .unwrap_or_else(|| panic!("no policy for {path}"));
    policy
        .timeout
        .unwrap_or_else(|| panic!("no timeout for {path}"))
}

/// Makes a call that may take `limit`.
pub(crate) async fn watched<T>(
    world: &World,
    host: &'static str,
    what: &str,
    limit: Duration,
    call: impl Future<Output = Result<T, CallError>>,
) -> Result<T, CallError> {
    world.tally.calls.fetch_add(1, Ordering::Relaxed);
    world.journal.note(host, format_args!("calls {what}"));
    let start = Instant::now();
    let outcome = call.await;
    let took = start.elapsed();
    if took > limit + MARGIN {
        world
            .journal
            .broke(host, format_args!("{what} took {took:?} of {limit:?}"));
    }
    match &outcome {
        Ok(_) => {
            world.tally.successes.fetch_add(1, Ordering::Relaxed);
            world
                .journal
                .note(host, format_args!("{what} is answered after {took:?}"));
        }
        Err(error) => failed(world, host, what, error, took),
    }
    outcome
}

fn failed(world: &World, host: &'static str, what: &str, error: &CallError, took: Duration) {
    let (code, cause) = (error.code, error.cause);
    let line = format_args!(
        "{what} failed after {took:?}: {code:?}, {}: {}",
        cause.name(),
        error.message
    )
    .to_string();
    world.journal.note(host, format_args!("{line}"));
    *crate::world::lock(&world.tally.failures)
        .entry(cause.name())
        .or_default() += 1;
    if code != Code::FailedPrecondition {
        let now = world.journal.now();
        crate::world::lock(&world.tally.last_failure).insert(host, now);
    }
    if !is_possible(code, cause) {
        world
            .journal
            .broke(host, format_args!("an impossible failure: {line}"));
    }
}

/// Whether a call of the simulated services may fail so.
fn is_possible(code: Code, cause: Cause) -> bool {
    match cause {
        Cause::Refused => matches!(
            code,
            Code::Unavailable
                | Code::DeadlineExceeded
                | Code::FailedPrecondition
                | Code::ResourceExhausted
        ),
        Cause::DeadlineBeforeSend | Cause::DeadlineOnWire => code == Code::DeadlineExceeded,
        Cause::Unreachable
        | Cause::ConnectionLost
        | Cause::Stalled
        | Cause::Ejected
        | Cause::Reset
        | Cause::RetryBudgetEmpty => {
            matches!(
                code,
                Code::Unavailable
                    | Code::DeadlineExceeded
                    | Code::Cancelled
                    | Code::Internal
                    | Code::ResourceExhausted
            )
        }
        // Nobody answers anything else, nothing is large, no call goes on to another, all places are known
        // and nobody has an identity: whatever other cause there is, it cannot be.
        _ => false,
    }
}
