//! A release that does not work: it never takes over, and nobody notices.

use crate::cluster::Cluster;
use crate::pod::{Phase, Pod};
use crate::rig::Rig;
use crate::side::Side;
use crate::turn;
use anyhow::{Context as _, Result};
use cleave_e2e::{Fault, FaultProxy, admin};
use std::time::Duration;

/// Crashes are started again after ten seconds, then twenty ...: three times in 1.4 s.
const SCALE: u32 = 50;
const RESTARTS: u32 = 3;
/// The database of a replica that never becomes ready answers so late,
const LATE: Duration = Duration::from_millis(250);
/// while it gives up waiting for it after this.
const IMPATIENCE: &str = "50ms";
/// So often it is found unready before that counts as never.
const UNREADY: u64 = 8;

#[tokio::test(flavor = "multi_thread")]
async fn given_load_when_a_release_crashes_then_the_rollout_stops_and_no_call_fails() -> Result<()>
{
    let _turn = turn().await;
    let Some(mut rig) = Rig::start(Side::Billing, 3, SCALE).await? else {
        return Ok(());
    };
    let load = rig.load().await?;
    load.more(30).await;

    let mut broken = rig.template(2)?;
    broken
        .settings
        .push(("host.lame_duk".to_owned(), "1s".to_owned()));
    rig.cluster.apply(broken);
    let crashed = |pod: &Pod| pod.state().restarts >= RESTARTS;
    rig.cluster
        .until("it crashed again and again", |cluster| {
            cluster.of(2).any(crashed)
        })
        .await?;

    let pod = rig.cluster.of(2).next().context("a pod")?;
    let words = pod.state().words;
    assert!(words.contains("did you mean lame_duck?"), "{words}");
    stopped(&rig.cluster);
    // Back to what worked.
    let mended = rig.template(1)?;
    rig.cluster.apply(mended);
    rig.cluster
        .until("it is rolled back", Cluster::is_rolled_out)
        .await?;
    let calls = load.stop().await;
    println!(
        "crash loop             | {} of {} calls failed",
        calls.failed(),
        calls.calls()
    );
    assert_eq!(
        calls.failed(),
        0,
        "{}\n{}",
        calls.why(),
        rig.cluster.describe()
    );
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn given_load_when_a_replica_never_becomes_ready_then_it_gets_no_traffic() -> Result<()> {
    let _turn = turn().await;
    let Some(mut rig) = Rig::start(Side::Billing, 3, SCALE).await? else {
        return Ok(());
    };
    let load = rig.load().await?;
    load.more(30).await;

    let slow = FaultProxy::start(crate::rig::server(rig.database.url())?).await?;
    slow.set(Fault::Slow(LATE));
    let mut broken = rig.template(2)?;
    broken.database = crate::rig::through(rig.database.url(), slow.addr())?;
    broken
        .settings
        .push(("host.probe_timeout".to_owned(), IMPATIENCE.to_owned()));
    rig.cluster.apply(broken);
    let tried = |pod: &Pod| pod.state().alive_probes >= UNREADY;
    rig.cluster
        .until("it lives for a while", |cluster| cluster.of(2).any(tried))
        .await?;
    load.more(60).await;

    let pod = rig.cluster.of(2).next().context("a pod")?;
    let state = pod.state();
    assert_eq!(
        (state.phase, state.ready_probes, state.restarts),
        (Phase::Running, 0, 0),
        "{}",
        pod.log()
    );
    let metrics = admin::page(pod.admin(), "/metrics").await?;
    let called = "grpc_server_call_started{grpc_method=\"cleave.billing";
    assert!(!metrics.contains(called), "{metrics}");
    stopped(&rig.cluster);
    let calls = load.stop().await;
    println!(
        "never ready            | {} of {} calls failed",
        calls.failed(),
        calls.calls()
    );
    assert_eq!(
        calls.failed(),
        0,
        "{}\n{}",
        calls.why(),
        rig.cluster.describe()
    );
    Ok(())
}

/// The rollout has not gone past its first replica.
fn stopped(cluster: &Cluster) {
    let (old, new) = (
        cluster.of(1).filter(|pod| pod.is_available()),
        cluster.of(2),
    );
    assert_eq!(old.count(), cluster.spec.replicas, "{}", cluster.describe());
    assert_eq!(new.count(), cluster.spec.surge);
    assert_eq!(cluster.least_ready, cluster.spec.replicas);
}
