//! The lease keeper.

use std::time::Duration;

use billing_client::pb::reservation::State;
use operations_client::pb;

use crate::network::Network;
use crate::report::{batch, report};
use crate::server::{Server, request};

#[tokio::test]
async fn given_money_then_a_line_item_serves_on_a_lease_that_is_renewed_in_time() {
    let server = Server::start().await;
    let network = Network::serving(&server).await;
    network.until(&server, pb::LineItemStatus::Delivering).await;
    assert_eq!(network.reservations(&server).len(), 1);

    // At 60 percent of the time the next lease is there before the first one ends.
    server.advance(Duration::from_secs(180));
    server
        .until("the next lease", || async {
            (network.reservations(&server).len() == 2).then_some(())
        })
        .await;
    network.until(&server, pb::LineItemStatus::Delivering).await;
}

#[tokio::test]
async fn given_spend_then_the_next_lease_comes_at_70_percent_of_the_money() {
    let server = Server::start().await;
    let network = Network::serving(&server).await;
    network.until(&server, pb::LineItemStatus::Delivering).await;
    let first = network.reservations(&server)[0]
        .granted
        .clone()
        .unwrap()
        .micros;
    assert_eq!(first, 10_000_000);

    // An impression is worth a rupee: seven of ten.
    let rows = vec![network.row(&server, 0, 1, 7)];
    report(&server, vec![batch(rows)]).await.unwrap();
    server
        .until("the next lease", || async {
            (network.reservations(&server).len() == 2).then_some(())
        })
        .await;
}

#[tokio::test]
async fn given_no_money_left_then_it_says_so_and_goes_on_by_itself_when_money_comes() {
    let server = Server::start().await;
    let network = Network::funded(&server, 2_000_000).await;
    network.enable(&server).await;
    network.until(&server, pb::LineItemStatus::Delivering).await;
    // Everything there was is held by the first lease, and used up.
    report(&server, vec![batch(vec![network.row(&server, 0, 1, 2)])])
        .await
        .unwrap();
    let dry = server
        .until("the refusal is told", || async {
            let line_item = network.line_item(&server).await;
            let refused = pb::status_reason::Code::FundsExhausted;
            let told = line_item.status_reasons.first()?.code() == refused;
            told.then_some(line_item)
        })
        .await;
    assert_eq!(dry.status(), pb::LineItemStatus::NoBudget);
    assert!(!dry.status_reasons[0].message.is_empty());

    server.billing.pay(&network.advertiser_id, 50_000_000);
    network.until(&server, pb::LineItemStatus::Delivering).await;
}

#[tokio::test]
async fn given_complete_delivery_then_what_was_not_used_goes_back() {
    let server = Server::start().await;
    let network = Network::serving(&server).await;
    network.until(&server, pb::LineItemStatus::Delivering).await;
    report(&server, vec![batch(vec![network.row(&server, 0, 1, 3)])])
        .await
        .unwrap();
    network.pause(&server).await;

    // Two hours on, the source says that everything is counted.
    server.advance(Duration::from_secs(2 * 3600));
    let mut complete = batch(Vec::new());
    complete.complete_through = Some(server.hour(0));
    report(&server, vec![complete]).await.unwrap();
    let released = server
        .until("the lease is given back", || async {
            let held = network.reservations(&server).remove(0);
            (held.freed.clone().unwrap_or_default().micros > 0).then_some(held)
        })
        .await;
    assert_eq!(released.freed.unwrap().micros, 7_000_000);
    assert_ne!(released.state, i32::from(State::Held));
}

#[tokio::test]
async fn given_caps_then_leases_keep_within_them() {
    let server = Server::start().await;
    let limits = pb::LineItem {
        lifetime_cap_micros: Some(4_000_000),
        ..Default::default()
    };
    let network = Network::draft(&server, limits).await;
    network.active(&server).await;
    server.billing.pay(&network.advertiser_id, 50_000_000);
    network.approve(&server).await;
    network.enable(&server).await;
    network.until(&server, pb::LineItemStatus::Delivering).await;
    assert_eq!(
        network.reservations(&server)[0]
            .granted
            .clone()
            .unwrap()
            .micros,
        4_000_000
    );

    report(&server, vec![batch(vec![network.row(&server, 0, 1, 4)])])
        .await
        .unwrap();
    let done = network.until(&server, pb::LineItemStatus::Completed).await;
    let codes: Vec<_> = done
        .status_reasons
        .iter()
        .map(|reason| reason.code())
        .collect();
    assert_eq!(codes, [pb::status_reason::Code::LifetimeCapReached]);
}

#[tokio::test]
async fn given_a_restart_then_leases_go_on_and_none_is_asked_for_twice() {
    let server = Server::start().await;
    let network = Network::serving(&server).await;
    network.until(&server, pb::LineItemStatus::Delivering).await;
    let server = server.restart().await;
    assert_eq!(
        network.line_item(&server).await.status(),
        pb::LineItemStatus::Delivering
    );
    // A round of the keeper has passed once another line item has its lease.
    let other = Network::serving(&server).await;
    other.until(&server, pb::LineItemStatus::Delivering).await;
    assert_eq!(network.reservations(&server).len(), 1);
    let remove = pb::RemoveLineItemRequest {
        request_id: request(),
        id: other.line_item_id.clone(),
        etag: other.line_item(&server).await.etag,
    };
    server.client.remove_line_item(remove).await.unwrap();
    other.until(&server, pb::LineItemStatus::Removed).await;
}
