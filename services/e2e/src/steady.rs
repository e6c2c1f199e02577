//! Calls at a steady rate, whatever becomes of them, and an exact ledger of what did.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::future::Future;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tokio::task::{JoinHandle, JoinSet};
use tokio::time::{Instant, MissedTickBehavior, interval};
use tonic::{Code, Status};

/// How often it is looked which calls are due.
const TICK: Duration = Duration::from_millis(10);

/// Why a call failed.
#[derive(Debug, Clone)]
pub struct Failure {
    /// The status code.
    pub code: Code,
    /// What was said about it.
    pub text: String,
}

impl From<cleave_mesh::CallError> for Failure {
    fn from(error: cleave_mesh::CallError) -> Self {
        Self {
            code: error.code,
            text: format!("{} [{}]", error.message, error.cause.name()),
        }
    }
}

impl From<Status> for Failure {
    fn from(status: Status) -> Self {
        Self {
            code: status.code(),
            text: status.message().to_owned(),
        }
    }
}

/// One call that has ended.
#[derive(Debug, Clone)]
pub struct Entry {
    /// When it began.
    pub begun: Instant,
    /// How long it took.
    pub took: Duration,
    /// Why it failed, when it did.
    pub failure: Option<Failure>,
}

/// What became of each call.
#[derive(Debug, Default)]
struct Ledger {
    begun: AtomicU64,
    stop: AtomicBool,
    ended: Mutex<Vec<Entry>>,
}

impl Ledger {
    fn ended(&self) -> MutexGuard<'_, Vec<Entry>> {
        self.ended.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Calls that go on until they are stopped.
#[derive(Debug)]
pub struct Steady {
    ledger: Arc<Ledger>,
    running: JoinHandle<()>,
}

impl Steady {
    /// Begins so many calls per second; `call` is given the number of the call, from zero.
    pub fn start<F, R>(per_second: u64, call: F) -> Self
    where
        F: Fn(u64) -> R + Send + 'static,
        R: Future<Output = Result<(), Failure>> + Send + 'static,
    {
        let ledger = Arc::new(Ledger::default());
        let running = tokio::spawn(run(per_second, call, Arc::clone(&ledger)));
        Self { ledger, running }
    }

    /// The calls begun so far.
    #[must_use]
    pub fn begun(&self) -> u64 {
        self.ledger.begun.load(Ordering::SeqCst)
    }

    /// What became of the calls that began since then, as far as they have ended.
    #[must_use]
    pub fn since(&self, from: Instant) -> Account {
        let ended = self.ledger.ended();
        Account::of(ended.iter().filter(|entry| entry.begun >= from).cloned())
    }

    /// Waits until so many more calls have begun.
    pub async fn more(&self, calls: u64) {
        let goal = self.begun() + calls;
        crate::until::holds("the load goes on", || async { self.begun() >= goal }).await;
    }

    /// Begins no more calls, waits for those under way, and answers what became of all of them.
    ///
    /// # Panics
    /// When a call is not accounted for, or panicked itself.
    pub async fn stop(self) -> Account {
        self.ledger.stop.store(true, Ordering::SeqCst);
        if let Err(error) = self.running.await {
            panic!("the load ended early: {error}");
        }
        let account = Account::of(self.ledger.ended().drain(..));
        assert_eq!(
            account.calls(),
            usize::try_from(self.ledger.begun.load(Ordering::SeqCst)).unwrap_or(usize::MAX),
            "every call that began has ended once"
        );
        account
    }
}

async fn run<F, R>(per_second: u64, call: F, ledger: Arc<Ledger>)
where
    F: Fn(u64) -> R,
    R: Future<Output = Result<(), Failure>> + Send + 'static,
{
    let start = Instant::now();
    let mut ticks = interval(TICK);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Skip);
    let mut calls = JoinSet::new();
    while !ledger.stop.load(Ordering::SeqCst) {
        ticks.tick().await;
        let elapsed = u64::try_from(start.elapsed().as_micros()).unwrap_or(u64::MAX);
        let due = elapsed.saturating_mul(per_second) / 1_000_000;
        while ledger.begun.load(Ordering::SeqCst) < due {
            let number = ledger.begun.fetch_add(1, Ordering::SeqCst);
            let (calling, ledger) = (call(number), Arc::clone(&ledger));
            calls.spawn(async move {
                let begun = Instant::now();
                let failure = calling.await.err();
                let took = begun.elapsed();
                ledger.ended().push(Entry {
                    begun,
                    took,
                    failure,
                });
            });
        }
        while let Some(joined) = calls.try_join_next() {
            joined.expect("a call does not panic");
        }
    }
    while let Some(joined) = calls.join_next().await {
        joined.expect("a call does not panic");
    }
}

/// What became of some calls.
#[derive(Debug, Clone)]
pub struct Account {
    /// The calls, in the order in which they ended.
    pub entries: Vec<Entry>,
}

impl Account {
    fn of(entries: impl Iterator<Item = Entry>) -> Self {
        Self {
            entries: entries.collect(),
        }
    }

    /// How many calls there were.
    #[must_use]
    pub fn calls(&self) -> usize {
        self.entries.len()
    }

    /// How many of them failed.
    #[must_use]
    pub fn failed(&self) -> usize {
        self.failures().count()
    }

    /// Why they did.
    pub fn failures(&self) -> impl Iterator<Item = &Failure> {
        self.entries
            .iter()
            .filter_map(|entry| entry.failure.as_ref())
    }

    /// The slowest.
    #[must_use]
    pub fn slowest(&self) -> Duration {
        self.percentile(100)
    }

    /// So many in a hundred took no longer.
    #[must_use]
    pub fn percentile(&self, percent: usize) -> Duration {
        let mut times: Vec<_> = self.entries.iter().map(|entry| entry.took).collect();
        times.sort_unstable();
        let last = times.len().saturating_sub(1);
        times.get(last * percent / 100).copied().unwrap_or_default()
    }

    /// The failures by kind, and when they began, for the message of a test.
    #[must_use]
    pub fn why(&self) -> String {
        let first = self.entries.iter().map(|entry| entry.begun).min();
        let mut kinds: BTreeMap<String, Vec<Duration>> = BTreeMap::new();
        for entry in &self.entries {
            if let (Some(failure), Some(first)) = (&entry.failure, first) {
                let kind = format!("{:?}: {}", failure.code, failure.text);
                kinds.entry(kind).or_default().push(entry.begun - first);
            }
        }
        let mut text = format!("{} of {} failed", self.failed(), self.calls());
        for (kind, times) in kinds {
            let (from, to) = (times.iter().min(), times.iter().max());
            let (from, to) = (
                from.copied().unwrap_or_default(),
                to.copied().unwrap_or_default(),
            );
            let _ = write!(
                text,
                "; {} begun {from:.1?} to {to:.1?} in: {kind}",
                times.len()
            );
        }
        text
    }
}
