//! What works in plaintext works with identities.

use crate::World;
use anyhow::Result;
use billing_client::BillingClient;
use cleave_e2e::network::{self, Plan, clicks_row};
use cleave_e2e::until;
use futures::stream;
use operations_client::{OperationsClient, pb as operations};

#[tokio::test(flavor = "multi_thread")]
async fn given_identities_when_delivery_is_reported_then_both_services_do_their_part() -> Result<()>
{
    // given
    let world = World::started().await?;
    let cleave = world.cleave.credentials()?;
    let operations = OperationsClient::new(world.pair.operations.channel_by(&cleave)?);
    let billing = BillingClient::new(world.pair.billing.channel_by(&cleave)?);

    // when: Operations has Billing open accounts, and Billing follows what Operations takes in
    let network = network::build(&operations, &billing, &Plan::default()).await?;
    let message = operations::ReportDeliveryRequest {
        source: network::SOURCE.to_owned(),
        rows: vec![clicks_row(&network, 0, 0, 1, 25)],
        ..Default::default()
    };
    operations.report_delivery(stream::iter([message])).await?;

    // then
    let line_item_id = &network.line_item_ids[0];
    until::holds("the delivery is rated", || async {
        network::spend(&billing, line_item_id)
            .await
            .is_ok_and(|spend| spend.rated_micros == 25_000_000)
    })
    .await;
    let callers = callers(&world.pair.billing.mesh().await?);
    assert!(callers.contains(&"operations".to_owned()), "{callers:?}");
    assert!(callers.contains(&"cleave".to_owned()), "{callers:?}");
    Ok(())
}

/// Who is connected.
fn callers(mesh: &serde_json::Value) -> Vec<String> {
    let connections = mesh["connections"].as_array().into_iter().flatten();
    connections
        .filter_map(|one| Some(one["caller"].as_str()?.to_owned()))
        .collect()
}
