//! One seed: a cast, a time of chaos, a calm, and the reckoning.

use crate::calls::Tally;
use crate::faults::{self, Event};
use crate::journal::Journal;
use crate::ledger::Ledger;
use crate::network::Network;
use crate::plan::Plan;
use crate::rows::Delivery;
use crate::world::{BEGINNING, World, addresses, lock};
use crate::{billing, check, game, operations};
use futures::future::LocalBoxFuture;
use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant, UNIX_EPOCH};
use tokio::sync::Notify;

const BILLING: [&str; 3] = ["billing-0", "billing-1", "billing-2"];
const OPERATIONS: [&str; 2] = ["operations-0", "operations-1"];
const GAME: &str = "game";

/// How much time passes at once on the network. Within a host, timers are as fine as ever.
const TICK: Duration = Duration::from_millis(4);
/// How long things go wrong.
pub(crate) const CHAOS: Duration = Duration::from_millis(2_200);
/// How long it may take until all is well again.
const PATIENCE: Duration = Duration::from_secs(12);
/// How long all must have been well.
const QUIET: Duration = Duration::from_millis(400);
/// How often it is looked whether all is well, in ticks.
const LOOK: u32 = 10;
/// What is to be done exactly once.
const STEPS: usize = 40;

/// What a run is asked to do besides running.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Options {
    /// Print what happens.
    pub(crate) echo: bool,
    /// Keep what happens.
    pub(crate) keep: bool,
    /// Break the ledger's memory.
    pub(crate) forgetful: bool,
}

/// How a run went.
pub(crate) struct Outcome {
    pub(crate) hash: u64,
    pub(crate) schedule: Vec<String>,
    pub(crate) trace: Vec<String>,
    pub(crate) broken: Vec<String>,
    calls: u64,
    successes: u64,
    arrivals: u64,
    failures: BTreeMap<&'static str, u64>,
    simulated: Duration,
    took: Duration,
}

/// Who takes part.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Cast {
    pub(crate) billing: &'static [&'static str],
    pub(crate) operations: &'static [&'static str],
}

/// A run under way.
pub(crate) struct Stage<'a> {
    pub(crate) sim: turmoil::Sim<'a>,
    pub(crate) world: Arc<World>,
    pub(crate) cast: Cast,
    /// What messages take at most while nothing is wrong.
    pub(crate) latency: Duration,
    pub(crate) down: BTreeSet<&'static str>,
}

impl Cast {
    /// Every host.
    pub(crate) fn hosts(&self) -> Vec<&'static str> {
        let all = self.billing.iter().chain(self.operations).copied();
        all.chain([GAME]).collect()
    }
}

/// Runs one seed.
pub(crate) fn run(seed: u64, options: Options) -> Outcome {
    let started = Instant::now();
    // All that is left to chance on this thread follows from the seed: jitter, choices, ids, this plan.
    fastrand::seed(seed);
    check::listen_for_panics();
    let cast = Cast {
        billing: &BILLING[..fastrand::usize(2..=3)],
        operations: &OPERATIONS[..fastrand::usize(1..=2)],
    };
    let world = world(&cast, options);
    let schedule = faults::draw(&cast, CHAOS);
    for event in &schedule {
        world.journal.note("fate", format_args!("plans {event}"));
    }
    let mut stage = stage(seed, cast, world);
    let fine = stage.play(&schedule) && stage.settle();
    if fine {
        check::all(&stage);
    }
    stage.finish(schedule, started)
}

fn world(cast: &Cast, options: Options) -> Arc<World> {
    let journal = Arc::new(Journal::new(options.echo, options.keep));
    let plan = Plan::new(STEPS, CHAOS, Arc::clone(&journal));
    Arc::new(World {
        ledger: Ledger::open(&plan.advertisers, BEGINNING, options.forgetful),
        delivery: Delivery::new(),
        plan,
        tally: Tally::default(),
        billing: addresses(cast.billing),
        operations: addresses(cast.operations),
        trouble: std::sync::Mutex::default(),
        running: std::sync::Mutex::default(),
        deaths: cast
            .hosts()
            .into_iter()
            .map(|host| (host, Notify::new()))
            .collect(),
        seen: std::sync::Mutex::default(),
        heard: std::sync::Mutex::default(),
        served: std::sync::Mutex::default(),
        network: Network::new(Arc::clone(&journal)),
        journal,
    })
}

fn stage<'a>(seed: u64, cast: Cast, world: Arc<World>) -> Stage<'a> {
    let latency = Duration::from_millis(fastrand::u64(2..30));
    let mut sim = turmoil::Builder::new()
        .rng_seed(seed)
        .epoch(UNIX_EPOCH)
        .tick_duration(TICK)
        .simulation_duration(Duration::from_secs(3_600))
        .min_message_latency(Duration::from_millis(1))
        .max_message_latency(latency)
        .tcp_capacity(1_024)
        .enable_random_order()
        .build();
    for host in cast.hosts() {
        let world = Arc::clone(&world);
        let is_billing = cast.billing.contains(&host);
        sim.host(host, move || {
            let world = Arc::clone(&world);
            async move {
                let life: LocalBoxFuture<'_, turmoil::Result> = match host {
                    GAME => Box::pin(game::run(Arc::clone(&world), CHAOS)),
                    _ if is_billing => Box::pin(billing::run(Arc::clone(&world), host)),
                    _ => Box::pin(operations::run(Arc::clone(&world), host)),
                };
                world.live(host, life).await
            }
        });
    }
    Stage {
        sim,
        world,
        cast,
        latency,
        down: BTreeSet::new(),
    }
}

impl Stage<'_> {
    /// Moves on by a tick; whether the world still turns.
    pub(crate) fn step(&mut self) -> bool {
        let outcome = self.sim.step();
        self.world.journal.set_now(self.sim.elapsed());
        if let Err(error) = &outcome {
            self.world
                .journal
                .broke("world", format_args!("a host ended: {error}"));
        }
        outcome.is_ok()
    }

    /// The time of chaos.
    fn play(&mut self, schedule: &[Event]) -> bool {
        let mut turns: Vec<_> = schedule
            .iter()
            .flat_map(|event| {
                [
                    (event.at, true, event.fault),
                    (event.until, false, event.fault),
                ]
            })
            .collect();
        turns.sort_by_key(|(at, _, _)| *at);
        let mut turns = turns.into_iter().peekable();
        while self.sim.elapsed() < CHAOS {
            while let Some((_, begins, fault)) =
                turns.next_if(|(at, _, _)| *at <= self.sim.elapsed())
            {
                match begins {
                    true => self.begin(fault),
                    false => self.end(fault),
                }
            }
            if !self.step() {
                return false;
            }
        }
        self.calm();
        true
    }

    /// Waits until all has been well for a while.
    fn settle(&mut self) -> bool {
        let latest = self.sim.elapsed() + PATIENCE;
        let mut well_since = None;
        while self.sim.elapsed() < latest {
            for _ in 0..LOOK {
                if !self.step() {
                    return false;
                }
            }
            let now = self.sim.elapsed();
            match check::unrest(self) {
                Some(_) => well_since = None,
                None if now >= *well_since.get_or_insert(now) + QUIET => return true,
                None => {}
            }
        }
        let unrest = check::unrest(self).unwrap_or_else(|| "well, but not for long".to_owned());
        self.world.journal.broke(
            "world",
            format_args!("no calm after {PATIENCE:?}: {unrest}"),
        );
        true
    }

    fn finish(self, schedule: Vec<Event>, started: Instant) -> Outcome {
        let simulated = self.sim.elapsed();
        // What the end of the world does is of no interest.
        let (hash, trace, mut broken) = self.world.journal.close();
        drop(self.sim);
        for panic in check::panics() {
            broken.push(format!("a panic: {panic}"));
        }
        let count = |counter: &std::sync::atomic::AtomicU64| counter.load(Ordering::Relaxed);
        let tally = &self.world.tally;
        Outcome {
            hash,
            schedule: schedule.iter().map(Event::to_string).collect(),
            trace,
            broken,
            calls: count(&tally.calls),
            successes: count(&tally.successes),
            arrivals: count(&tally.arrivals),
            failures: lock(&tally.failures).clone(),
            simulated,
            took: started.elapsed(),
        }
    }
}

impl Outcome {
    /// In a line.
    pub(crate) fn summary(&self) -> String {
        format!(
            "hash {:016x}, {} calls, {} of them answered, {} arrivals, {:?} simulated in {:?}",
            self.hash, self.calls, self.successes, self.arrivals, self.simulated, self.took
        )
    }
}

/// Many runs together.
#[derive(Debug, Default)]
pub(crate) struct Total {
    runs: u64,
    calls: u64,
    successes: u64,
    arrivals: u64,
    failures: BTreeMap<&'static str, u64>,
    simulated: Duration,
    longest: Duration,
    took: Duration,
}

impl Total {
    /// One more run.
    pub(crate) fn add(&mut self, outcome: &Outcome) {
        self.runs += 1;
        self.calls += outcome.calls;
        self.successes += outcome.successes;
        self.arrivals += outcome.arrivals;
        for (cause, count) in &outcome.failures {
            *self.failures.entry(cause).or_default() += count;
        }
        self.simulated += outcome.simulated;
        self.longest = self.longest.max(outcome.simulated);
        self.took += outcome.took;
    }
}

impl fmt::Display for Total {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{} seeds: {} calls, {} answered, {} arrivals, failures by cause {:?}; {:?} simulated, at most {:?} for one seed, in {:?} of \
             thread time",
            self.runs,
            self.calls,
            self.successes,
            self.arrivals,
            self.failures,
            self.simulated,
            self.longest,
            self.took
        )
    }
}
