//! Freezing the past.

use cleave_kernel::Timestamp;
use operations_domain::Refusal;
use operations_domain::delivery::{DeliveryReason, DeliveryRow, DeliveryState, RowRefusal};
use operations_store::delivery::{FreezeOutcome, changes, freeze};

use crate::support::{Network, batch, hour};

async fn freeze_through(network: &Network, through: Timestamp) -> Result<FreezeOutcome, Refusal> {
    let frozen = network
        .db()
        .transaction("freeze", |txn| async move { freeze(&txn, through).await })
        .await;
    frozen.unwrap_or_else(|error| panic!("{:?}: {error:?}", network.test))
}

#[tokio::test]
async fn given_an_incomplete_source_when_frozen_then_refused_until_it_is_complete() {
    for network in Network::each_engine().await {
        network
            .report(vec![network.row(0, 0, 1, 1), network.row(1, 3, 1, 1)])
            .await;
        // Nothing was reported before the first hour, so nothing is missing there.
        assert!(freeze_through(&network, hour(0)).await.is_ok());
        let refused = freeze_through(&network, hour(2)).await;
        let expected = Refusal::DeliveryIncomplete {
            source_name: "adserver".to_owned(),
            complete_through: None,
        };
        assert_eq!(refused, Err(expected), "{:?}", network.test);

        let mut complete = batch(Vec::new());
        complete.complete_through = Some(hour(2));
        network.report_all(vec![complete]).await;
        let frozen = freeze_through(&network, hour(2)).await.expect("complete");
        assert_eq!(
            (frozen.frozen, frozen.through),
            (1, hour(2)),
            "{:?}",
            network.test
        );
        let again = freeze_through(&network, hour(1)).await.expect("complete");
        assert_eq!(
            (again.frozen, again.through),
            (0, hour(2)),
            "{:?}",
            network.test
        );
    }
}

#[tokio::test]
async fn given_a_frozen_hour_then_live_rows_are_refused_and_corrections_taken() {
    for network in Network::each_engine().await {
        network.report(vec![network.row(0, 0, 1, 9)]).await;
        let mut complete = batch(Vec::new());
        complete.complete_through = Some(hour(1));
        network.report_all(vec![complete]).await;
        freeze_through(&network, hour(1)).await.expect("complete");

        let live = network.report(vec![network.row(0, 0, 2, 8)]).await;
        assert_eq!(
            live.refused,
            [(0, RowRefusal::Frozen)],
            "{:?}",
            network.test
        );
        let correction = DeliveryRow {
            reason: DeliveryReason::Ivt,
            ..network.row(0, 0, 2, 8)
        };
        assert_eq!(network.report(vec![correction]).await.updated, 1);

        let page = changes(network.db(), 0, 0, 10).await.expect("a page");
        assert_eq!(page.gates.state(hour(0)), DeliveryState::Frozen);
        assert_eq!(page.gates.state(hour(1)), DeliveryState::Provisional);
        assert_eq!(page.rows[0].row.counts.impressions, 8, "{:?}", network.test);
    }
}
