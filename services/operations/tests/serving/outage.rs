//! Billing away, and back.

use std::time::Duration;

use billing_client::fake::Fault;
use operations_client::pb;
use pb::status_reason::Code;

use crate::network::Network;
use crate::report::{batch, report};
use crate::server::Server;

/// The line item, once it says that Billing cannot be reached.
async fn told_of_outage(server: &Server, network: &Network) -> pb::LineItem {
    server
        .until("the outage is told", || async {
            let line_item = network.line_item(server).await;
            let mut reasons = line_item.status_reasons.iter();
            let told = reasons.any(|reason| reason.code() == Code::BillingUnreachable);
            told.then_some(line_item)
        })
        .await
}

#[tokio::test]
async fn given_billing_down_then_live_leases_serve_until_their_end_and_then_it_says_why() {
    let server = Server::start().await;
    let network = Network::serving(&server).await;
    network.until(&server, pb::LineItemStatus::Delivering).await;
    server.billing.server().go_down().await;

    // Reads and writes go on as before.
    report(&server, vec![batch(vec![network.row(&server, 0, 1, 2)])])
        .await
        .unwrap();
    assert_eq!(
        network.line_item(&server).await.status(),
        pb::LineItemStatus::Delivering
    );

    // Within the lease it serves, and says that Billing is away once it has asked for the next one.
    server.advance(Duration::from_secs(200));
    let limited = told_of_outage(&server, &network).await;
    assert_eq!(limited.status(), pb::LineItemStatus::Limited);

    // Beyond it, it does not: there is no money that it may rely on.
    server.advance(Duration::from_secs(101));
    network.until(&server, pb::LineItemStatus::NoBudget).await;
    told_of_outage(&server, &network).await;
    assert_eq!(network.reservations(&server).len(), 1);

    server.billing.server().come_up().await.unwrap();
    network.until(&server, pb::LineItemStatus::Delivering).await;
}

#[tokio::test]
async fn given_lost_answers_then_the_same_request_is_repeated_and_granted_once() {
    let server = Server::start().await;
    let network = Network::funded(&server, 1_000_000_000).await;
    server
        .billing
        .server()
        .fail("ReserveBudget", Fault::LoseReply, 6);
    network.enable(&server).await;
    network.until(&server, pb::LineItemStatus::Delivering).await;
    assert_eq!(network.reservations(&server).len(), 1);
}

#[tokio::test]
async fn given_a_crash_between_asking_and_the_answer_then_the_restarted_keeper_repeats_the_request()
{
    let server = Server::start().await;
    let network = Network::funded(&server, 1_000_000_000).await;
    server
        .billing
        .server()
        .fail("ReserveBudget", Fault::LoseReply, u32::MAX);
    network.enable(&server).await;
    server
        .until("Billing has granted, unheard", || async {
            (!network.reservations(&server).is_empty()).then_some(())
        })
        .await;
    let server = server.restart().await;
    server.billing.server().heal();
    network.until(&server, pb::LineItemStatus::Delivering).await;
    assert_eq!(network.reservations(&server).len(), 1);
}
