//! The database goes away and returns: replicas say so within a period, none is restarted for it, and all serve again.

use crate::cluster::Cluster;
use crate::rig::Rig;
use crate::side::Side;
use crate::turn;
use anyhow::Result;
use cleave_e2e::steady::Steady;
use cleave_e2e::{Fault, until};
use tokio::time::Instant;

/// Readiness is asked for every 1.25 s, liveness every 2.5 s: a busy machine can still keep them apart.
const SCALE: u32 = 4;
/// So many calls that succeed, one after another, are no chance.
const IN_A_ROW: usize = 60;

/// For each replica: how often it was found ready so far, and asked whether it lives.
fn probes(cluster: &Cluster) -> Vec<(u64, u64)> {
    let states = cluster.pods.iter().map(|pod| pod.state());
    states
        .map(|state| (state.ready_probes, state.alive_probes))
        .collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn given_load_when_the_database_goes_and_returns_then_replicas_are_unready_but_never_restarted()
-> Result<()> {
    let _turn = turn().await;
    let Some(mut rig) = Rig::start(Side::Billing, 3, SCALE).await? else {
        return Ok(());
    };
    let begun = Instant::now();
    let load = rig.load().await?;
    load.more(60).await;
    let before = load.since(begun);
    assert_eq!(before.failed(), 0, "{}", before.why());

    for fault in [Fault::Down, Fault::BlackHole] {
        outage(&mut rig, &load, fault).await?;
    }

    let calls = load.stop().await;
    assert!(calls.failed() > 0, "there was no outage");
    let restarted = rig
        .cluster
        .pods
        .iter()
        .filter(|pod| pod.state().restarts > 0);
    assert_eq!(restarted.count(), 0, "{}", rig.cluster.describe());
    Ok(())
}

/// The database is refused, or nothing of it is heard; then it is back.
async fn outage(rig: &mut Rig, load: &Steady, fault: Fault) -> Result<()> {
    // when
    let cut = Instant::now();
    let seen = probes(&rig.cluster);
    rig.proxy.set(fault);
    let nobody = |cluster: &Cluster| cluster.pods.iter().all(|pod| !pod.is_ready());
    rig.cluster.until("no replica is ready", nobody).await?;
    let noticed = cut.elapsed();

    // then: what a probe saw was never older than a period, so one at most still passed
    let passed = probes(&rig.cluster);
    for (now, then) in passed.iter().zip(&seen) {
        let still = now.0 - then.0;
        assert!(
            still <= 1,
            "found ready {still} times after the outage began"
        );
    }
    // and liveness has every chance to be wrong
    let enough = rig.cluster.spec.liveness.failures + 1;
    let asked = move |cluster: &Cluster| {
        let now = probes(cluster);
        now.iter()
            .zip(&passed)
            .all(|(now, then)| now.1 >= then.1 + enough)
    };
    rig.cluster
        .until("all were asked whether they live", asked)
        .await?;
    assert!(nobody(&rig.cluster), "{}", rig.cluster.describe());

    // and when it returns
    let back = Instant::now();
    rig.proxy.set(Fault::None);
    let all = |cluster: &Cluster| cluster.pods.iter().all(|pod| pod.is_ready());
    rig.cluster.until("all are ready", all).await?;
    let again = back.elapsed();
    let last = settled(load, back).await;

    // then
    let meanwhile = load.since(cut);
    println!(
        "database {fault:?} {:.1?} | not ready after {noticed:.2?}, ready again after {again:.2?}, the last call failed \
         that began {:.2?} after the return | {} of {} calls failed",
        back - cut,
        last - back,
        meanwhile.failed(),
        meanwhile.calls()
    );
    Ok(())
}

/// Waits until so many calls in a row have succeeded; when the last one began that did not.
async fn settled(load: &Steady, back: Instant) -> Instant {
    until::some("calls succeed again", || async {
        let calls = load.since(back);
        let failed = calls.entries.iter().filter(|call| call.failure.is_some());
        let last = failed.map(|call| call.begun).max().unwrap_or(back);
        let later = calls.entries.iter().filter(|call| call.begun > last);
        (later.count() >= IN_A_ROW).then_some(last)
    })
    .await
}
