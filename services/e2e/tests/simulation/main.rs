//! Both halves of the mesh in a simulated world, where one seed is one run.
//!
//! Replicas of both sides, a network that loses, delays and partitions, crashes, drains and clocks that
//! jump: all of it on one thread, on [`turmoil`]'s simulated network and tokio's paused clock. The caller's
//! and the callee's half run as they are, with the real contracts and the typed clients; only the
//! databases are in memory, because their drivers have threads of their own, but the rules in them are the
//! domains'. After the chaos comes a calm, and then everything must be right: see [`check`].
//!
//! ```sh
//! cargo test -p cleave-e2e --test simulation                   # the ordinary run
//! CLEAVE_SEED=123 cargo test -p cleave-e2e --test simulation   # one seed, with its schedule and its trace
//! CLEAVE_SEEDS=20000 CLEAVE_FIRST_SEED=1000 cargo test -p cleave-e2e --test simulation --release
//! ```

mod accounts;
mod billing;
mod calls;
mod check;
mod delivery;
mod faults;
mod game;
mod journal;
mod ledger;
mod network;
mod operations;
mod plan;
mod rows;
mod scenario;
mod settings;
mod wire;
mod world;

use scenario::{Options, Outcome, run};
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};

/// The seeds of the ordinary run.
const SEEDS: u64 = 500;

fn number(name: &str) -> Option<u64> {
    let text = std::env::var(name).ok()?;
    Some(
        text.parse()
            .unwrap_or_else(|_| panic!("{name}={text} is not a number")),
    )
}

/// Tells what went wrong, and how to see it again.
fn report(seed: u64, outcome: &Outcome) -> String {
    format!(
        "seed {seed} broke {} promises:\n  {}\nits schedule:\n  {}\nsee it again: CLEAVE_SEED={seed} cargo test -p \
         cleave-e2e --test simulation\n",
        outcome.broken.len(),
        outcome.broken.join("\n  "),
        outcome.schedule.join("\n  "),
    )
}

/// Runs seeds on all cores, and hands each outcome on.
fn on_all_cores(first: u64, count: u64, options: Options, take: impl Fn(u64, Outcome) + Sync) {
    let next = AtomicU64::new(first);
    let cores = std::thread::available_parallelism().map_or(2, usize::from);
    std::thread::scope(|scope| {
        for _ in 0..cores {
            scope.spawn(|| {
                loop {
                    let seed = next.fetch_add(1, Ordering::Relaxed);
                    if seed >= first + count {
                        return;
                    }
                    take(seed, run(seed, options));
                }
            });
        }
    });
}

#[test]
fn no_seed_breaks_a_promise() {
    if let Some(seed) = number("CLEAVE_SEED") {
        let outcome = run(
            seed,
            Options {
                echo: true,
                ..Options::default()
            },
        );
        println!("{}", outcome.summary());
        assert!(outcome.broken.is_empty(), "{}", report(seed, &outcome));
        return;
    }
    let count = number("CLEAVE_SEEDS").unwrap_or(SEEDS);
    let first = number("CLEAVE_FIRST_SEED").unwrap_or(0);
    let failed = Mutex::new(Vec::new());
    let total = Mutex::new(scenario::Total::default());
    on_all_cores(first, count, Options::default(), |seed, outcome| {
        total.lock().expect("no panic").add(&outcome);
        if !outcome.broken.is_empty() {
            failed
                .lock()
                .expect("no panic")
                .push(report(seed, &outcome));
        }
    });
    println!("{}", total.into_inner().expect("no panic"));
    let failed = failed.into_inner().expect("no panic");
    assert!(
        failed.is_empty(),
        "{} seeds of {count}:\n{}",
        failed.len(),
        failed.join("\n")
    );
}

#[test]
fn one_seed_is_one_run() {
    for seed in [1, 2, 3, 5, 8, 13, 21, 34] {
        let kept = Options {
            keep: true,
            ..Options::default()
        };
        let (first, second) = (run(seed, kept), run(seed, kept));
        let apart = first
            .trace
            .iter()
            .zip(&second.trace)
            .position(|(a, b)| a != b);
        if let Some(line) = apart {
            let excerpt = |run: &Outcome| {
                run.trace[line.saturating_sub(8)..]
                    .iter()
                    .take(16)
                    .cloned()
                    .collect::<Vec<_>>()
                    .join("\n")
            };
            panic!(
                "seed {seed} went two ways:\n{}\n---\n{}",
                excerpt(&first),
                excerpt(&second)
            );
        }
        assert_eq!(
            first.hash, second.hash,
            "seed {seed} went two ways: {apart:#?}"
        );
        assert_ne!(
            first.hash,
            run(seed + 1_000, kept).hash,
            "the seed changes nothing"
        );
    }
}

/// The promises are worth something only if breaking them is noticed.
#[test]
fn a_ledger_that_forgets_requests_is_found_out() {
    let found = Mutex::new(0);
    let forgetful = Options {
        forgetful: true,
        ..Options::default()
    };
    on_all_cores(0, 20, forgetful, |_, outcome| {
        *found.lock().expect("no panic") += u32::from(!outcome.broken.is_empty());
    });
    let found = found.into_inner().expect("no panic");
    assert!(found >= 5, "{found} of 20 seeds noticed");
}
