//! The release before and this one side by side on one database and across the boundary: replica by replica up to this
//! one, and back again, under load. No call fails, and nothing is rated twice or lost.
//!
//! `CLEAVE_PREVIOUS_BIN` names a folder with `operations` and `billing` of the release before; `deploy/test` builds
//! them from the last tag. Before there is one, this release stands in for it: then what is held is the way.

use crate::rollout::{Both, Followed, REPLICAS, restart};
use crate::{programs, turn};
use anyhow::{Context, Result, ensure};
use billing_client::pb as billing_pb;
use cleave_e2e::advertisers::{self, Advertiser};
use cleave_e2e::network::{self, Network, Plan, clicks_row, verified};
use cleave_e2e::steady::{Failure, Steady};
use cleave_e2e::{Programs, tools, until};
use futures::stream;
use operations_client::pb as operations_pb;
use std::path::PathBuf;
use std::sync::Arc;

/// Names the folder.
const PREVIOUS: &str = "CLEAVE_PREVIOUS_BIN";
/// Calls per second to each service: enough for every replica to be called while it is replaced.
const RATE: u64 = 10;
/// What every hour of delivery is charged, in rupees.
const CLICKS: i64 = 3;

#[tokio::test(flavor = "multi_thread")]
async fn given_the_release_before_when_replicas_are_upgraded_and_rolled_back_then_no_call_fails()
-> Result<()> {
    let released = std::env::var_os(PREVIOUS).map(PathBuf::from);
    let folder = released.clone().unwrap_or_default();
    let (old_operations, old_billing) = (folder.join("operations"), folder.join("billing"));
    let before = match released {
        Some(_) => Programs {
            operations: &old_operations,
            billing: &old_billing,
        },
        None => programs(),
    };
    if released.is_none() {
        eprintln!("{PREVIOUS} is not set: this release stands in for the one before");
    }
    let _turn = turn().await;
    let mut both = Both::start(before).await?;
    if !(both.operations.share_rows() && both.billing.share_rows()) {
        ensure!(
            released.is_none(),
            "releases run side by side on a server's database: name one in CLEAVE_TEST_POSTGRES_URL"
        );
        eprintln!("there is no server's database for replicas to share: not covered");
        return Ok(());
    }
    let known: Arc<[Advertiser]> = advertisers::open(&both.billing, 4).await?.into();
    let plan = Plan::default();
    let network = network::build(&both.operations_client, &both.billing_client, &plan).await?;
    let client = both.billing_client.clone();
    let to_billing = Steady::start(RATE, move |number| {
        let (client, known) = (client.clone(), Arc::clone(&known));
        async move { Ok(advertisers::call(&client, &known, number).await?) }
    });
    let client = both.operations_client.clone();
    let to_operations = Steady::start(RATE, move |number| {
        let client = client.clone();
        async move { Ok::<_, Failure>(tools::call(&client, number).await?) }
    });
    let followed = follow(&both);

    // when: one replica after the other becomes this release, and then the one before again
    let mut hours = 0;
    for release in [programs(), before] {
        for index in 0..REPLICAS {
            both.operations[index].becomes(release.operations);
            both.billing[index].becomes(release.billing);
            let (operations, billing) = (&mut both.operations[index], &mut both.billing[index]);
            let (one, other) = tokio::join!(restart(operations), restart(billing));
            one?;
            other?;
            for stream in &followed {
                stream.speaks().await;
            }
            hours += 1;
            report(&both, &network, hours).await?;
            rated(&both, &network, hours).await;
        }
    }

    // then: no call failed, and the ledger proves itself to either release
    let (billing, operations) = (to_billing.stop().await, to_operations.stop().await);
    println!(
        "upgrade and rollback   | {} restarts | billing: {} of {} failed, slowest {:.0?} | operations: {} of {} failed, \
         slowest {:.0?}",
        4 * REPLICAS,
        billing.failed(),
        billing.calls(),
        billing.slowest(),
        operations.failed(),
        operations.calls(),
        operations.slowest()
    );
    assert!(
        billing.failed() + operations.failed() == 0,
        "billing: {}; operations: {}\n{}\n{}",
        billing.why(),
        operations.why(),
        both.billing.complaints(),
        both.operations.complaints()
    );
    verified(&both.billing_client).await
}

/// Streams that are to outlive every replica.
fn follow(both: &Both) -> [Followed; 2] {
    [
        Followed::start(
            "accounts",
            both.billing_client
                .follow_accounts(billing_pb::WatchAccountsRequest::default()),
        ),
        Followed::start(
            "delivery",
            both.operations_client
                .follow_delivery(operations_pb::WatchDeliveryRequest::default()),
        ),
    ]
}

async fn report(both: &Both, network: &Network, hour: i64) -> Result<()> {
    let message = operations_pb::ReportDeliveryRequest {
        source: network::SOURCE.to_owned(),
        rows: vec![clicks_row(network, 0, -hour, 1, CLICKS)],
        ..Default::default()
    };
    let reply = both
        .operations_client
        .report_delivery(stream::iter([message]));
    let reply = reply.await.context("reporting delivery")?;
    ensure!(reply.rejected_count == 0, "{:?}", reply.rejections);
    Ok(())
}

/// Waits until exactly so many hours are rated.
async fn rated(both: &Both, network: &Network, hours: i64) {
    let line_item = &network.line_item_ids[0];
    until::holds("delivery is rated across the boundary", || async {
        let spend = network::spend(&both.billing_client, line_item).await;
        spend.is_ok_and(|spend| spend.rated_micros == hours * CLICKS * 1_000_000)
    })
    .await;
}
