//! A node is drained: its replicas leave one after another, as the budget says, and nobody notices.

use crate::cluster::Cluster;
use crate::rig::Rig;
use crate::side::Side;
use crate::turn;
use anyhow::Result;

const SCALE: u32 = 10;
/// Fewer than replicas, so that one of them has two.
const NODES: usize = 2;
/// The one that has.
const DRAINED: usize = 0;

#[tokio::test(flavor = "multi_thread")]
async fn given_load_on_operations_when_a_node_is_drained_then_its_replicas_leave_one_by_one_and_no_call_fails()
-> Result<()> {
    drain_a_node(Side::Operations).await
}

#[tokio::test(flavor = "multi_thread")]
async fn given_load_on_billing_when_a_node_is_drained_then_its_replicas_leave_one_by_one_and_no_call_fails()
-> Result<()> {
    drain_a_node(Side::Billing).await
}

async fn drain_a_node(side: Side) -> Result<()> {
    let _turn = turn().await;
    let Some(mut rig) = Rig::start(side, NODES, SCALE).await? else {
        return Ok(());
    };
    assert_eq!(rig.cluster.on(DRAINED), 2, "{}", rig.cluster.describe());
    let load = rig.load().await?;
    load.more(30).await;

    rig.cluster.cordon(DRAINED);
    let emptied = |cluster: &Cluster| cluster.on(DRAINED) == 0 && cluster.is_rolled_out();
    let evict = |cluster: &mut Cluster| cluster.evict(DRAINED);
    rig.cluster
        .work_until("the node is empty", evict, emptied)
        .await?;

    load.more(30).await;
    let calls = load.stop().await;
    let (spec, cluster) = (&rig.cluster.spec, &rig.cluster);
    println!(
        "node drain {:12} | {} of {} calls failed, slowest {:.0?} | at least {} ready",
        side.name(),
        calls.failed(),
        calls.calls(),
        calls.slowest(),
        cluster.least_ready
    );
    assert_eq!(calls.failed(), 0, "{}\n{}", calls.why(), cluster.describe());
    assert_eq!(cluster.least_ready, spec.replicas - spec.disruptable);
    assert_eq!(cluster.killed, 0, "replicas outlived their grace period");
    Ok(())
}
