//! A call that goes on from host to host: when its caller gives up, the work ends everywhere.

use crate::host::{call, start};
use crate::turn;
use anyhow::{Context as _, Result};
use cleave_e2e::until;
use cleave_host::Running;
use cleave_mesh::policy::{MethodPolicy, PolicyTable};
use cleave_mesh::{Mesh, MeshChannel};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tokio::time::{Instant, sleep, timeout};
use tonic::{Code, Status};

/// How often a caller gives up in each way.
const TIMES: usize = 25;
/// When it does.
const PATIENCE: Duration = Duration::from_millis(200);
/// How long work may go on after that.
const AFTER: Duration = Duration::from_millis(50);
/// How often the pulse beats.
const BEAT: Duration = Duration::from_millis(1);
/// A slice of the last host's work.
const SLICE: Duration = Duration::from_millis(2);

static POLICIES: PolicyTable = PolicyTable::new(&[
    MethodPolicy {
        timeout: Some(Duration::from_secs(20)),
        ..MethodPolicy::new("/test.Script/Long")
    },
    MethodPolicy {
        timeout: Some(PATIENCE),
        ..MethodPolicy::new("/test.Script/Short")
    },
]);

/// What is going on in the handlers.
#[derive(Debug, Default)]
struct Work {
    running: usize,
    begun: usize,
    /// When the last one ended, or did a slice.
    last: Option<Instant>,
}

#[derive(Debug, Clone, Default)]
struct Watcher(Arc<Mutex<Work>>);

/// A handler that runs.
struct Busy(Watcher);

impl Watcher {
    fn work(&self) -> MutexGuard<'_, Work> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn enter(&self) -> Busy {
        let mut work = self.work();
        work.running += 1;
        work.begun += 1;
        Busy(self.clone())
    }

    fn touch(&self) {
        self.work().last = Some(Instant::now());
    }
}

impl Drop for Busy {
    fn drop(&mut self) {
        let mut work = self.0.work();
        work.running -= 1;
        work.last = Some(Instant::now());
    }
}

/// Three hosts, each of which calls the next; the last one works without end.
struct Chain {
    channel: MeshChannel,
    watcher: Watcher,
    hosts: Vec<Running>,
}

fn channel(caller: &str, peer: &str, to: &Running) -> Result<MeshChannel> {
    let mesh = Mesh::builder(POLICIES)
        .caller(caller)
        .peer(peer, &to.addr().to_string())
        .build()?;
    Ok(mesh.to(peer)?)
}

impl Chain {
    async fn start() -> Result<Self> {
        let watcher = Watcher::default();
        let watch = watcher.clone();
        let last = start("c", POLICIES, &[], move |_| {
            let watch = watch.clone();
            async move {
                let _running = watch.enter();
                loop {
                    sleep(SLICE).await;
                    watch.touch();
                }
            }
        })
        .await?;
        let middle = relay("b", channel("b", "c", &last)?, &watcher).await?;
        let first = relay("a", channel("a", "b", &middle)?, &watcher).await?;
        Ok(Self {
            channel: channel("tester", "a", &first)?,
            watcher,
            hosts: vec![first, middle, last],
        })
    }

    /// Waits until every handler of the chain runs.
    async fn under_way(&self, begun: usize) {
        until::holds("the last host works", || async {
            self.watcher.work().begun >= begun
        })
        .await;
    }

    /// Waits until no handler runs; how long the last one worked after the caller had given up.
    async fn over(&self, given_up: Instant) -> Result<Duration> {
        until::holds("all work ends", || async {
            self.watcher.work().running == 0
        })
        .await;
        let last = self.watcher.work().last.context("there was work")?;
        Ok(last.saturating_duration_since(given_up))
    }
}

/// A host whose handlers pass the call on.
async fn relay(name: &str, next: MeshChannel, watcher: &Watcher) -> Result<Running> {
    let watcher = watcher.clone();
    start(name, POLICIES, &[], move |method| {
        let (next, watcher) = (next.clone(), watcher.clone());
        async move {
            let _running = watcher.enter();
            call(&next, &method).await
        }
    })
    .await
}

/// A task beside the chain that wants to run every millisecond, and notices when it could not.
#[derive(Debug, Clone, Default)]
struct Pulse(Arc<AtomicU64>);

impl Pulse {
    fn start() -> Self {
        let pulse = Self::default();
        let longest = Arc::downgrade(&pulse.0);
        tokio::spawn(async move {
            loop {
                let before = Instant::now();
                sleep(BEAT).await;
                let late = before.elapsed().saturating_sub(BEAT);
                let Some(longest) = longest.upgrade() else {
                    return;
                };
                let late = u64::try_from(late.as_micros()).unwrap_or(u64::MAX);
                longest.fetch_max(late, Ordering::Relaxed);
            }
        });
        pulse
    }

    /// The longest that it had to wait since it was last asked.
    fn stall(&self) -> Duration {
        Duration::from_micros(self.0.swap(0, Ordering::Relaxed))
    }
}

/// How long work went on after its caller had given up, and how long the machine left this process without a turn
/// meanwhile.
#[derive(Debug, Clone, Copy)]
struct Overtime {
    work: Duration,
    stall: Duration,
}

/// Prints how long work went on, and holds every round to the bound: what the machine owed the process is no work.
fn judge(how: &str, mut rounds: Vec<Overtime>) {
    rounds.sort_unstable_by_key(|round| round.work);
    let (middle, worst) = (rounds[rounds.len() / 2], rounds[rounds.len() - 1]);
    println!(
        "chain, {how:14}  | work goes on for: median {:.1?}, longest {:.1?} (stalled {:.1?})",
        middle.work, worst.work, worst.stall
    );
    for round in rounds {
        assert!(round.work <= AFTER + round.stall, "{how}: {round:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn given_a_chain_of_three_when_the_caller_gives_up_then_no_work_goes_on() -> Result<()> {
    let _turn = turn().await;
    let chain = Chain::start().await?;
    let pulse = Pulse::start();

    let mut expired = Vec::new();
    for round in 0..TIMES {
        let start = Instant::now();
        pulse.stall();
        let refused = call(&chain.channel, "Short").await;
        let refused: Status = refused.err().context("nobody answers")?;
        assert_eq!(refused.code(), Code::DeadlineExceeded, "{refused}");
        assert_eq!(chain.watcher.work().begun, 3 * (round + 1), "each hop once");
        expired.push(Overtime {
            work: chain.over(start + PATIENCE).await?,
            stall: pulse.stall(),
        });
    }
    judge("deadline", expired);

    let mut dropped = Vec::new();
    for round in 0..TIMES {
        let calling = call(&chain.channel, "Long");
        let begun = 3 * (TIMES + round + 1);
        tokio::select! {
            answered = calling => panic!("nobody answers: {answered:?}"),
            () = chain.under_way(begun) => {}
        }
        pulse.stall();
        dropped.push(Overtime {
            work: chain.over(Instant::now()).await?,
            stall: pulse.stall(),
        });
    }
    judge("call dropped", dropped);

    for host in &chain.hosts {
        let ended = timeout(Duration::from_secs(20), host.shutdown()).await?;
        assert!(ended.clean, "nothing is left to be cut off");
    }
    Ok(())
}
