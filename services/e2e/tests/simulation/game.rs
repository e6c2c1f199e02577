//! The source of delivery: reports what it has served by now, and the same again until it is acknowledged.

use crate::world::{BEGINNING, World, lock};
use cleave_kernel::{AdUnitId, LineItemId};
use operations_client::OperationsClient;
use operations_domain::delivery::{
    DeliveryCounts, DeliveryKey, DeliveryReason, DeliveryRow, HOUR, SourceName,
};
use std::sync::Arc;
use std::time::Duration;
use uuid::Uuid;

/// How many rows it counts in.
pub(crate) const ROWS: usize = 4;
/// What one report may take.
const PATIENCE: Duration = Duration::from_millis(700);
/// The pause between reports.
const PAUSE: Duration = Duration::from_millis(80);

/// The key of a row.
pub(crate) fn key(index: usize) -> DeliveryKey {
    let number = u128::try_from(index).expect("small") + 1;
    DeliveryKey {
        source: SourceName::new("game").expect("a name"),
        line_item: LineItemId::from_uuid(Uuid::from_u128(number)),
        terms_version: 1,
        ad_unit: AdUnitId::from_uuid(Uuid::from_u128(7)),
        hour: BEGINNING.minus(HOUR),
    }
}

/// Reports until there is no more to serve.
pub(crate) async fn run(world: Arc<World>, until: Duration) -> turmoil::Result {
    let mesh = world.mesh("cleave", cleave_contracts::POLICIES);
    let client = OperationsClient::new(mesh.to(operations_client::PEER)?);
    // What it had served before a crash is on its disk, and is reported again.
    let mut totals = lock(&world.served).clone();
    loop {
        let over = world.journal.now() > until;
        if !over {
            for _ in 0..fastrand::usize(1..=3) {
                let total = totals.entry(fastrand::usize(..ROWS)).or_default();
                *total = (total.0 + 1, total.1 + fastrand::i64(1..100));
            }
        }
        lock(&world.served).clone_from(&totals);
        let rows: Vec<_> = totals
            .iter()
            .map(|(index, total)| row(*index, *total))
            .collect();
        let request = operations_client::pb::ReportDeliveryRequest {
            source: "game".to_owned(),
            batch_id: "batch".to_owned(),
            rows: rows.iter().map(crate::wire::row_to_wire).collect(),
            complete_through: None,
        };
        let call = client.report_delivery(futures::stream::iter([request]));
        let outcome = tokio::time::timeout(PATIENCE, call).await;
        let acknowledged = matches!(outcome, Ok(Ok(_)));
        world
            .journal
            .note("game", format_args!("reported {totals:?}: {acknowledged}"));
        tokio::time::sleep(if over && acknowledged { HOUR } else { PAUSE }).await;
    }
}

fn row(index: usize, (revision, impressions): (i64, i64)) -> DeliveryRow {
    DeliveryRow {
        key: key(index),
        revision,
        counts: DeliveryCounts {
            impressions,
            ..DeliveryCounts::default()
        },
        reason: DeliveryReason::Live,
    }
}
