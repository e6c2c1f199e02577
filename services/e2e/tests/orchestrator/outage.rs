//! The database goes away and returns: replicas say so within a period, none is restarted for it, and all serve again.

use crate::cluster::Cluster;
use crate::rig::Rig;
use crate::turn;
use anyhow::Result;
use cleave_e2e::Fault;
use tokio::time::Instant;

/// Readiness is asked for every 1.25 s, liveness every 2.5 s: a busy machine can still keep them apart.
const SCALE: u32 = 4;

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
    let Some(mut rig) = Rig::start(3, SCALE).await? else {
        return Ok(());
    };
    let begun = Instant::now();
    let load = rig.load().await?;
    load.more(60).await;
    let before = load.since(begun);
    assert_eq!(before.failed(), 0, "{}", before.why());

    // when
    let cut = Instant::now();
    let seen = probes(&rig.cluster);
    rig.proxy.set(Fault::Down);
    let nobody = |cluster: &Cluster| cluster.pods.iter().all(|pod| !pod.is_ready());
    rig.cluster.until("no replica is ready", nobody).await?;
    let noticed = cut.elapsed();

    // then: what a probe saw was never older than a period, so one at most still passed
    let passed = probes(&rig.cluster);
    for (now, then) in passed.iter().zip(&seen) {
        assert!(
            now.0 <= then.0 + 1,
            "ready {} times after the outage",
            now.0 - then.0
        );
    }
    // and liveness has had every chance to be wrong
    let enough = rig.cluster.spec.liveness.failures + 1;
    let asked = move |cluster: &Cluster| {
        probes(cluster)
            .iter()
            .zip(&passed)
            .all(|(now, then)| now.1 >= then.1 + enough)
    };
    rig.cluster
        .until("all were asked whether they live", asked)
        .await?;
    assert!(nobody(&rig.cluster));

    // when it returns
    let back = Instant::now();
    rig.proxy.set(Fault::None);
    rig.cluster
        .until("all are ready", |cluster| {
            cluster.pods.iter().all(|pod| pod.is_ready())
        })
        .await?;
    let (ready, again) = (Instant::now(), back.elapsed());
    load.more(60).await;
    let after = load.since(ready);

    // then
    let calls = load.stop().await;
    println!(
        "database outage {:.1?}   | not ready after {noticed:.2?}, ready again after {again:.2?}, no restart | {} of {} \
         calls failed, none of {} later",
        back - cut,
        calls.failed(),
        calls.calls(),
        after.calls()
    );
    assert_eq!(
        after.failed(),
        0,
        "{}\n{}",
        after.why(),
        rig.cluster.describe()
    );
    assert!(calls.failed() > 0, "there was no outage");
    assert!(
        rig.cluster.pods.iter().all(|pod| pod.state().restarts == 0),
        "{}",
        rig.cluster.describe()
    );
    Ok(())
}
