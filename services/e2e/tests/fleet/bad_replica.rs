//! One replica of three goes wrong: callers of methods that may be repeated do not notice.

use crate::control::{self, balanced, proxies};
use crate::{billing, turn};
use anyhow::Result;
use billing_client::BillingClient;
use cleave_e2e::advertisers::{self, Advertiser};
use cleave_e2e::steady::{Failure, Steady};
use cleave_e2e::{Fault, FaultProxy, Refuser, Replicas, until};
use cleave_mesh::{Mesh, Tuning};
use std::sync::Arc;
use std::time::Duration;
use tokio::time::{Instant, sleep};

/// Calls per second, of the mesh and of the control each.
const RATE: u64 = 30;
/// How long it may take to turn away from a bad replica.
const TURN: Duration = Duration::from_secs(2);
/// Calls over which the share of a replica is counted.
const SAMPLE: u64 = 120;
/// The least part of the calls, in percent, that one good replica of three gets.
const FAIR: f64 = 10.0;
/// The replica that goes wrong.
const BAD: usize = 1;

/// Three replicas of Billing, called in the name of Operations by the mesh and by the control.
struct Rig {
    replicas: Replicas,
    mesh: Mesh,
    ours: Steady,
    our_proxies: Vec<FaultProxy>,
    control: Steady,
    control_proxies: Vec<FaultProxy>,
}

/// How it went for one of the two callers.
struct Measured {
    share: f64,
    failed: usize,
    calls: usize,
    slowest: Duration,
}

impl Rig {
    async fn start() -> Result<Self> {
        let mut replicas = Replicas::new(billing(), "billing", 3).await?;
        replicas.set("peers.operations", "");
        replicas.start().await?;
        let known: Arc<[Advertiser]> = advertisers::open(&replicas, 8).await?.into();
        let (our_proxies, control_proxies) = (proxies(&replicas).await?, proxies(&replicas).await?);

        let addresses: Vec<_> = our_proxies
            .iter()
            .map(|one| one.addr().to_string())
            .collect();
        let mesh = Mesh::builder(cleave_contracts::POLICIES)
            .caller("operations")
            .peer("billing", &addresses.join(","))
            .build()?;
        let client = BillingClient::new(mesh.to("billing")?);
        let callees = Arc::clone(&known);
        let ours = Steady::start(RATE, move |number| {
            let (client, known) = (client.clone(), Arc::clone(&callees));
            async move {
                advertisers::call(&client, &known, number)
                    .await
                    .map_err(Failure::from)
            }
        });
        let channel = balanced(&control_proxies)?;
        let control = Steady::start(RATE, move |number| {
            let (channel, known) = (channel.clone(), Arc::clone(&known));
            async move {
                control::call(channel, &known, number)
                    .await
                    .map_err(Failure::from)
            }
        });
        Ok(Self {
            replicas,
            mesh,
            ours,
            our_proxies,
            control,
            control_proxies,
        })
    }

    /// The attempts that the mesh sent to each replica, whether they arrived or not.
    fn sent(&self) -> Vec<u64> {
        let state = self.mesh.state();
        let known = &state[0].replicas;
        let calls_to = |proxy: &FaultProxy| {
            let address = proxy.addr().to_string();
            let replica = known.iter().find(|one| one.address == address);
            replica.map_or(0, |replica| replica.calls)
        };
        self.our_proxies.iter().map(calls_to).collect()
    }

    /// The part of the attempts of both, in percent, that the bad replica gets while calls are counted.
    async fn shares(&self) -> (f64, f64) {
        let good = |rig: &Self| -> u64 {
            let others = rig.control_proxies.iter().enumerate();
            others
                .filter(|(index, _)| *index != BAD)
                .map(|(_, one)| one.calls())
                .sum()
        };
        let (sent, begun, arrived) = (self.sent(), self.control.begun(), good(self));
        self.ours.more(SAMPLE).await;
        let gained: Vec<_> = self
            .sent()
            .iter()
            .zip(sent)
            .map(|(after, before)| after - before)
            .collect();
        // tonic sends each call once; what came by no good replica went to the bad one.
        let (begun, arrived) = (self.control.begun() - begun, good(self) - arrived);
        (
            percent(gained[BAD], gained.iter().sum()),
            percent(begun.saturating_sub(arrived), begun),
        )
    }

    /// Waits until the bad replica has its share again; how long that took.
    async fn readmitted(&self) -> Duration {
        let (start, before) = (Instant::now(), self.sent()[BAD]);
        until::holds("the replica is called again", || async {
            self.sent()[BAD] > before + 20
        })
        .await;
        start.elapsed()
    }

    fn each_bad(&self, act: impl Fn(&FaultProxy)) -> Result<()> {
        act(&self.our_proxies[BAD]);
        act(&self.control_proxies[BAD]);
        Ok(())
    }
}

fn percent(part: u64, whole: u64) -> f64 {
    let of = |count: u64| f64::from(u32::try_from(count).expect("small"));
    100.0 * of(part) / of(whole.max(1))
}

/// Breaks one replica under load, mends it, and holds the mesh to what it promises.
async fn survive(
    what: &str,
    rig: &mut Rig,
    turn: Duration,
    break_it: impl AsyncFn(&mut Rig) -> Result<()>,
    mend: impl AsyncFn(&mut Rig) -> Result<()>,
) -> Result<()> {
    // A replica that has just come back is trusted step by step, so its share is waited for.
    until::holds("every replica gets its share", || async {
        rig.shares().await.0 > FAIR
    })
    .await;
    let start = Instant::now();
    break_it(rig).await?;
    sleep(turn).await;
    let (share, control_share) = rig.shares().await;
    mend(rig).await?;
    let readmitted = rig.readmitted().await;

    let measured = |load: &Steady, share| {
        let account = load.since(start);
        Measured {
            share,
            failed: account.failed(),
            calls: account.calls(),
            slowest: account.slowest(),
        }
    };
    let ours = measured(&rig.ours, share);
    let theirs = measured(&rig.control, control_share);
    println!(
        "{what:22} | mesh: {} | back after {readmitted:.1?} | tonic balance_list: {}",
        ours.line(),
        theirs.line()
    );
    let account = rig.ours.since(start);
    assert_eq!(account.failed(), 0, "{what}: {}", account.why());
    assert!(ours.share < 2.0, "{what}: the bad one got {} %", ours.share);
    assert!(theirs.calls > 0, "the control ran");
    Ok(())
}

impl Measured {
    fn line(&self) -> String {
        format!(
            "{:3} of {:4} failed, bad one gets {:4.1} %, slowest {:6.0?}",
            self.failed, self.calls, self.share, self.slowest
        )
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn given_one_bad_replica_of_three_when_called_steadily_then_no_caller_notices() -> Result<()>
{
    let _turn = turn().await;
    let mut rig = Rig::start().await?;

    survive(
        "killed",
        &mut rig,
        TURN,
        async |rig| rig.replicas[BAD].kill(),
        async |rig| rig.replicas[BAD].start().await,
    )
    .await?;

    let tuning = Tuning::default();
    survive(
        "black-holed",
        &mut rig,
        tuning.keepalive_interval + tuning.keepalive_timeout,
        async |rig| rig.each_bad(|proxy| proxy.set(Fault::BlackHole)),
        async |rig| rig.each_bad(|proxy| proxy.set(Fault::None)),
    )
    .await?;

    let refuser = Refuser::start().await?;
    survive(
        "answers UNAVAILABLE",
        &mut rig,
        TURN,
        async |rig| rig.each_bad(|proxy| proxy.redirect(refuser.addr())),
        async |rig| {
            let home = rig.replicas[BAD].addr();
            rig.each_bad(|proxy| proxy.redirect(home))
        },
    )
    .await?;

    let usual = rig.ours.since(Instant::now() - TURN).percentile(50);
    survive(
        "100 times slower",
        &mut rig,
        TURN,
        async |rig| rig.each_bad(|proxy| proxy.set(Fault::Slow(usual * 100))),
        async |rig| rig.each_bad(|proxy| proxy.set(Fault::None)),
    )
    .await?;

    let account = rig.ours.stop().await;
    assert_eq!(account.failed(), 0, "{}", account.why());
    rig.control.stop().await;
    Ok(())
}
