//! A new release: one replica more before one less, and nobody notices.

use crate::cluster::Cluster;
use crate::rig::Rig;
use crate::side::Side;
use crate::turn;
use anyhow::Result;

const SCALE: u32 = 10;

#[tokio::test(flavor = "multi_thread")]
async fn given_load_on_operations_when_a_release_is_rolled_out_then_no_call_fails() -> Result<()> {
    roll_out(Side::Operations).await
}

#[tokio::test(flavor = "multi_thread")]
async fn given_load_on_billing_when_a_release_is_rolled_out_then_no_call_fails() -> Result<()> {
    roll_out(Side::Billing).await
}

async fn roll_out(side: Side) -> Result<()> {
    let _turn = turn().await;
    let Some(mut rig) = Rig::start(side, 3, SCALE).await? else {
        return Ok(());
    };
    let load = rig.load().await?;
    load.more(30).await;

    let next = rig.template(2)?;
    rig.cluster.apply(next);
    rig.cluster
        .until("the release is rolled out", Cluster::is_rolled_out)
        .await?;

    load.more(30).await;
    let calls = load.stop().await;
    let (spec, cluster) = (&rig.cluster.spec, &rig.cluster);
    println!(
        "rolling update {:8} | {} of {} calls failed, slowest {:.0?} | at least {} ready, at most {} at one time",
        side.name(),
        calls.failed(),
        calls.calls(),
        calls.slowest(),
        cluster.least_ready,
        cluster.most
    );
    assert_eq!(calls.failed(), 0, "{}\n{}", calls.why(), cluster.describe());
    assert!(
        cluster.least_ready >= spec.replicas - spec.unavailable,
        "{}",
        cluster.least_ready
    );
    assert!(
        cluster.most <= spec.replicas + spec.surge,
        "{}",
        cluster.most
    );
    assert_eq!(cluster.killed, 0, "replicas outlived their grace period");
    Ok(())
}
