//! Three times as many calls as the service can do: it goes on doing as many as it can, the critical ones first,
//! and its memory stays what it is.
//!
//! The capacity is the test's own: a few places, each taken for a fixed time, so that the machine does not matter.

use crate::host::{call, start};
use crate::turn;
use anyhow::{Context as _, Result};
use cleave_e2e::steady::{Account, Steady};
use cleave_mesh::policy::{Code, Criticality, Idempotency, MethodPolicy, PolicyTable, RetryPolicy};
use cleave_mesh::{Mesh, MeshChannel};
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::Semaphore;
use tokio::time::{Instant, sleep};
use tonic::Status;

/// So many calls are worked on at one time,
const PLACES: usize = 16;
/// each for so long.
const WORK: Duration = Duration::from_millis(160);
/// Calls per second that can be done.
const CAPACITY: u64 = 100;
/// How long each level of load lasts.
const LASTS: Duration = Duration::from_secs(6);
/// What it takes until the service knows its limit, and has worked off what it let in before.
const WARMING: Duration = Duration::from_secs(6);
/// Room for some calls to wait, so that no place is ever free; all else is what it is by default.
const ADMISSION: [(&str, &str); 1] = [("host.admission.tolerated_latency", "1s")];
/// What the process may grow by, in KiB.
const GROWTH: u64 = 64 * 1024;

/// The retries of the contracts: what is shed comes back, if there is time.
const RETRY: Option<RetryPolicy> = Some(RetryPolicy {
    max_attempts: 4,
    codes: &[Code::Unavailable, Code::ResourceExhausted],
    initial_backoff: Duration::from_millis(20),
    max_backoff: Duration::from_secs(1),
    multiplier_percent: 200,
});

static POLICIES: PolicyTable = PolicyTable::new(&[
    MethodPolicy {
        timeout: Some(Duration::from_secs(5)),
        criticality: Criticality::Critical,
        retry: RETRY,
        idempotency: Idempotency::NoSideEffects,
        ..MethodPolicy::new("/test.Script/Critical")
    },
    MethodPolicy {
        timeout: Some(Duration::from_secs(5)),
        criticality: Criticality::Default,
        retry: RETRY,
        idempotency: Idempotency::NoSideEffects,
        ..MethodPolicy::new("/test.Script/Default")
    },
    MethodPolicy {
        timeout: Some(Duration::from_secs(5)),
        criticality: Criticality::Sheddable,
        retry: RETRY,
        idempotency: Idempotency::NoSideEffects,
        ..MethodPolicy::new("/test.Script/Sheddable")
    },
]);

/// One call in so many is critical: at three times the load, half of what can be done.
const CRITICAL: u64 = 6;

/// Of the other calls, two in three are usual and one can be spared.
const fn other(number: u64) -> &'static str {
    match number % 3 {
        0 => "Sheddable",
        _ => "Default",
    }
}

/// What a level of load came to.
struct Level {
    /// Calls per second that succeeded.
    goodput: f64,
    /// The part of the critical calls that succeeded, in percent.
    critical: f64,
    all: Account,
}

/// Calls at this rate for a while; what came of it once the service has settled.
async fn level(channel: &MeshChannel, per_second: u64) -> Level {
    let load = |methods: fn(u64) -> Option<&'static str>, rate| {
        let channel = channel.clone();
        Steady::start(rate, move |number| {
            let channel = channel.clone();
            async move {
                match methods(number) {
                    Some(method) => Ok(call(&channel, method).await?),
                    None => Ok(()),
                }
            }
        })
    };
    // Apart, so that each has an account of its own.
    let critical = load(|_| Some("Critical"), per_second / CRITICAL);
    let rest = load(
        |number| Some(other(number)),
        per_second * (CRITICAL - 1) / CRITICAL,
    );
    sleep(WARMING).await;
    let from = Instant::now();
    sleep(LASTS).await;
    let measured = from.elapsed().as_secs_f64();
    // Those whose time to answer was not over yet are left out.
    let until = Instant::now();
    let (critical, rest) = (critical.stop().await, rest.stop().await);
    let within = |account: Account| {
        let entries = account.entries.into_iter();
        let entries = entries.filter(|entry| entry.begun >= from && entry.begun < until);
        Account {
            entries: entries.collect(),
        }
    };
    let (critical, rest) = (within(critical), within(rest));
    let done = critical.calls() - critical.failed() + rest.calls() - rest.failed();
    let mut all = rest;
    let critical_percent = 100.0 * share(critical.calls() - critical.failed(), critical.calls());
    all.entries.extend(critical.entries);
    Level {
        goodput: count(done) / measured,
        critical: critical_percent,
        all,
    }
}

fn count(of: usize) -> f64 {
    f64::from(u32::try_from(of).expect("small"))
}

fn share(part: usize, whole: usize) -> f64 {
    count(part) / count(whole.max(1))
}

/// The memory of this process, in KiB, where the system tells.
fn memory() -> Result<u64> {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let Some(line) = status.lines().find(|line| line.starts_with("VmRSS")) else {
        eprintln!("the system does not tell how much memory there is: not covered");
        return Ok(0);
    };
    let number = line.split_whitespace().nth(1).context("a number")?;
    Ok(number.parse()?)
}

#[tokio::test(flavor = "multi_thread")]
async fn given_three_times_the_load_when_shed_then_goodput_and_critical_calls_hold() -> Result<()> {
    let _turn = turn().await;
    let places = Arc::new(Semaphore::new(PLACES));
    let running = start("overload", POLICIES, &ADMISSION, move |_| {
        let places = Arc::clone(&places);
        async move {
            let _place = places
                .acquire()
                .await
                .map_err(|_| Status::internal("closed"))?;
            sleep(WORK).await;
            Ok(())
        }
    })
    .await?;
    let mesh = Mesh::builder(POLICIES)
        .caller("tester")
        .peer("overload", &running.addr().to_string())
        .build()?;
    let channel = mesh.to("overload")?;

    let full = level(&channel, CAPACITY).await;
    let before = memory()?;
    let over = level(&channel, 3 * CAPACITY).await;
    let grown = memory()?.saturating_sub(before);

    let best = full.goodput.max(over.goodput);
    for (name, level) in [("at capacity", &full), ("at 3x", &over)] {
        println!(
            "load {name:14} | {:4} calls, {:4} failed, goodput {:5.1}/s, critical {:5.1} %, p50 {:.0?}, slowest {:.0?}",
            level.all.calls(),
            level.all.failed(),
            level.goodput,
            level.critical,
            level.all.percentile(50),
            level.all.slowest()
        );
    }
    println!("load memory         | grown by {grown} KiB");
    assert!(
        over.goodput >= 0.9 * best,
        "{} of {best} per second",
        over.goodput
    );
    assert!(
        over.critical >= 99.0,
        "{} % of the critical calls",
        over.critical
    );
    assert!(grown < GROWTH, "grown by {grown} KiB");
    assert!(running.shutdown().await.clean);
    Ok(())
}
