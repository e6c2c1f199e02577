//! The projection of Billing's accounts, and the outbox that has them opened.

use billing_client::fake::Fault;
use billing_client::types::AccountStanding;
use operations_client::pb;
use tonic::Code;

use crate::network::Network;
use crate::server::{Server, refused, request};

async fn advertiser(server: &Server, id: &str) -> pb::Advertiser {
    let asked = pb::GetAdvertiserRequest { id: id.to_owned() };
    let answer = server.client.get_advertiser(asked).await.unwrap();
    answer.advertiser.unwrap()
}

#[tokio::test]
async fn given_billing_down_then_an_advertiser_waits_and_is_active_once_billing_says_so() {
    let server = Server::start().await;
    server.billing.server().go_down().await;
    let network = Network::draft(&server, pb::LineItem::default()).await;
    let waiting = advertiser(&server, &network.advertiser_id).await;
    assert_eq!(waiting.state(), pb::advertiser::State::PendingBilling);

    server.billing.server().come_up().await.unwrap();
    // The relay waits longer with each attempt, by a clock that stands.
    server.advance(std::time::Duration::from_secs(60));
    network.active(&server).await;
    let active = advertiser(&server, &network.advertiser_id).await;
    let account = server.billing.standing(&network.advertiser_id).unwrap();
    assert_eq!(active.account_id, account.account_id);
}

#[tokio::test]
async fn given_a_lost_answer_then_the_same_request_is_sent_again_and_one_account_is_opened() {
    let server = Server::start().await;
    server
        .billing
        .server()
        .fail("OpenAccount", Fault::LoseReply, 2);
    let network = Network::draft(&server, pb::LineItem::default()).await;
    network.active(&server).await;
    assert!(server.billing.standing(&network.advertiser_id).is_some());
}

#[tokio::test]
async fn given_a_restore_of_billing_then_the_projection_starts_over_and_follows_on() {
    let server = Server::start().await;
    let network = Network::serving(&server).await;
    network.until(&server, pb::LineItemStatus::Delivering).await;

    server.billing.restore();
    let owner = &network.advertiser_id;
    server
        .billing
        .set_standing(owner, Some(AccountStanding::Blocked));
    let held = network
        .until(&server, pb::LineItemStatus::AccountHold)
        .await;
    let codes: Vec<_> = held
        .status_reasons
        .iter()
        .map(|reason| reason.code())
        .collect();
    assert_eq!(codes, [pb::status_reason::Code::AccountBlocked]);
    server.billing.set_standing(owner, None);
    network.until(&server, pb::LineItemStatus::Delivering).await;
}

#[tokio::test]
async fn given_a_standing_that_forbids_it_then_nothing_new_is_enabled() {
    let server = Server::start().await;
    let network = Network::funded(&server, 1_000_000).await;
    let owner = &network.advertiser_id;
    server
        .billing
        .set_standing(owner, Some(AccountStanding::OnHold));
    let enable = || async {
        let enable = pb::EnableLineItemRequest {
            request_id: request(),
            id: network.line_item_id.clone(),
            etag: network.line_item(&server).await.etag,
        };
        server.client.enable_line_item(enable).await
    };
    let error = server
        .until("the standing is known", || async { enable().await.err() })
        .await;
    refused::<()>(
        Err(error),
        Code::FailedPrecondition,
        pb::ErrorReason::AccountStanding,
    );

    // What is known of the account grows old with Billing gone.
    server.billing.set_standing(owner, None);
    server
        .until("the hold is lifted", || async {
            let explain = pb::ExplainLineItemRequest {
                id: network.line_item_id.clone(),
            };
            let steps = server
                .client
                .explain_line_item(explain)
                .await
                .unwrap()
                .steps;
            steps
                .iter()
                .any(|step| {
                    step.state == "ACTIVE" && step.source() == pb::explain_step::Source::Billing
                })
                .then_some(())
        })
        .await;
    server.billing.server().go_down().await;
    server.clock.advance(std::time::Duration::from_secs(901));
    refused(
        enable().await,
        Code::FailedPrecondition,
        pb::ErrorReason::StandingStale,
    );
}
