//! A whole peer is gone for a while: callers get their answers in time, nobody storms it, and it is used again
//! as soon as it is back.

use crate::control::proxies;
use crate::{billing, turn};
use anyhow::Result;
use billing_client::BillingClient;
use cleave_e2e::advertisers::{self, Advertiser};
use cleave_e2e::steady::Steady;
use cleave_e2e::{Fault, FaultProxy, Refuser, Replicas, until};
use cleave_mesh::Mesh;
use std::sync::Arc;
use std::time::Duration;
use tokio::time::{Instant, sleep, sleep_until};

/// How long the outage lasts: longer than any window over which the mesh counts, and than any ejection.
const LASTS: Duration = Duration::from_secs(60);
/// Calls per second.
const RATE: u64 = 40;
/// The replicas of the peer.
const REPLICAS: usize = 3;
/// The deadline of every call made here, as the contract says.
const DEADLINE: Duration = Duration::from_secs(2);
/// What a busy machine may take to notice that a deadline has passed.
const SLACK: Duration = Duration::from_millis(500);
/// How soon the peer is to be in use again.
const RECOVERY: Duration = Duration::from_secs(1);
/// Connections that the mesh may make to one replica while it comes back.
const CONNECTIONS: u64 = 2;

/// The peer, and the load on it.
struct Rig {
    replicas: Replicas,
    proxies: Vec<FaultProxy>,
    mesh: Mesh,
    load: Steady,
}

impl Rig {
    async fn start() -> Result<Self> {
        let mut replicas = Replicas::new(billing(), "billing", REPLICAS).await?;
        replicas.set("peers.operations", "");
        replicas.start().await?;
        let known: Arc<[Advertiser]> = advertisers::open(&replicas, 8).await?.into();
        let proxies = proxies(&replicas).await?;
        let addresses: Vec<_> = proxies.iter().map(|one| one.addr().to_string()).collect();
        let mesh = Mesh::builder(cleave_contracts::POLICIES)
            .caller("operations")
            .peer("billing", &addresses.join(","))
            .build()?;
        let client = BillingClient::new(mesh.to("billing")?);
        let load = Steady::start(RATE, move |number| {
            let (client, known) = (client.clone(), Arc::clone(&known));
            async move { Ok(advertisers::call(&client, &known, number).await?) }
        });
        Ok(Self {
            replicas,
            proxies,
            mesh,
            load,
        })
    }

    fn each(&self, act: impl Fn(usize, &FaultProxy)) {
        for (index, proxy) in self.proxies.iter().enumerate() {
            act(index, proxy);
        }
    }

    /// The attempts sent so far, whether they arrived or not.
    fn attempts(&self) -> u64 {
        let state = self.mesh.state();
        state[0].replicas.iter().map(|replica| replica.calls).sum()
    }

    fn connections(&self) -> u64 {
        self.proxies.iter().map(FaultProxy::connections).sum()
    }

    /// The calls that came by.
    fn arrived(&self) -> u64 {
        self.proxies.iter().map(FaultProxy::calls).sum()
    }

    /// Waits until a call succeeds that began since then.
    async fn succeeds(&self, since: Instant) {
        until::holds("a call succeeds again", || async {
            let account = self.load.since(since);
            account.calls() > account.failed()
        })
        .await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn given_a_whole_peer_down_when_it_returns_then_nobody_stormed_it_and_all_is_well()
-> Result<()> {
    let _turn = turn().await;
    let mut rig = Rig::start().await?;
    rig.load.more(2 * RATE).await;

    // given: all replicas are killed; half of the time nothing listens, half of it something answers UNAVAILABLE
    let down = Instant::now();
    let (begun, attempts) = (rig.load.begun(), rig.attempts());
    rig.each(|_, proxy| proxy.set(Fault::Down));
    for index in 0..REPLICAS {
        rig.replicas[index].kill()?;
    }
    sleep(LASTS / 2).await;
    let refuser = Refuser::start().await?;
    rig.each(|_, proxy| {
        proxy.redirect(refuser.addr());
        proxy.set(Fault::None);
    });
    sleep_until(down + LASTS).await;
    rig.each(|_, proxy| proxy.set(Fault::Down));
    rig.replicas.start().await?;
    let (begun, attempts) = (rig.load.begun() - begun, rig.attempts() - attempts);

    // when: they are back
    let back = Instant::now();
    let (connections, arrived) = (rig.connections(), rig.arrived());
    rig.each(|index, proxy| {
        proxy.redirect(rig.replicas[index].addr());
        proxy.set(Fault::None);
    });
    let recovering = rig.succeeds(back);
    let recovered = async {
        recovering.await;
        back.elapsed()
    };
    let first_second = async {
        sleep_until(back + RECOVERY).await;
        (rig.connections() - connections, rig.arrived() - arrived)
    };
    let (recovered, (connections, arrived)) = tokio::join!(recovered, first_second);
    rig.load.more(2 * RATE).await;

    // then
    let during = rig.load.since(down);
    let after = rig.load.since(back + RECOVERY);
    let amplification = ratio(attempts, begun);
    println!(
        "whole peer down {LASTS:3.0?}   | {begun} calls, {attempts} attempts: amplification {amplification:.2} | {} failed, \
         slowest {:.0?} | back in use after {recovered:.0?} | in the first second: {connections} connections, \
         {arrived} calls arrived | later: {} of {} failed",
        during.failed(),
        during.slowest(),
        after.failed(),
        after.calls()
    );
    assert!(amplification <= 1.2, "amplification is {amplification}");
    assert!(
        during.slowest() < DEADLINE + SLACK,
        "an answer took {:?}",
        during.slowest()
    );
    assert!(recovered < RECOVERY, "back in use after {recovered:?}");
    assert_eq!(after.failed(), 0, "{}", after.why());
    let replicas = u64::try_from(REPLICAS)?;
    assert!(
        connections <= CONNECTIONS * replicas,
        "{connections} connections"
    );
    // What began in that second, what waited for it, and the health of each connection.
    let waited = RATE * DEADLINE.as_secs();
    let expected = RATE + waited + CONNECTIONS * replicas;
    assert!(arrived <= expected, "{arrived} calls in the first second");
    rig.load.stop().await;
    Ok(())
}

fn ratio(part: u64, whole: u64) -> f64 {
    let of = |count: u64| f64::from(u32::try_from(count).expect("small"));
    of(part) / of(whole.max(1))
}
