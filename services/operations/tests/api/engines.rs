//! What depends on the engine below: twins that arrive together, and a whole order on each engine.

use cleave_storage::testing::TestDatabase;
use futures::future::join_all;
use operations_client::pb;

use crate::make::{
    active_advertiser, approve, campaign_of, line_item_of, new_advertiser, new_line_item,
};
use crate::server::{Server, request_id, until};
use billing_client::fake::FakeBilling;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn given_one_request_many_times_at_once_when_sent_then_it_is_done_once() {
    for database in TestDatabase::each_engine().await {
        let server = Server::over(database, None).await;
        let request = new_advertiser();
        let calls = (0..16).map(|_| server.client.create_advertiser(request.clone()));
        let answers: Vec<_> = join_all(calls)
            .await
            .into_iter()
            .map(Result::unwrap)
            .collect();
        assert!(answers.iter().all(|answer| *answer == answers[0]));
        let all = server.client.list_advertisers(Default::default()).await;
        assert_eq!(all.unwrap().advertisers.len(), 1, "{:?}", server.database);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn given_one_reference_many_times_at_once_when_created_then_one_holds_it() {
    for database in TestDatabase::each_engine().await {
        let server = Server::over(database, None).await;
        let create = |_| {
            let mut request = new_advertiser();
            request.advertiser.as_mut().unwrap().external_ref = "erp-7".to_owned();
            server.client.create_advertiser(request)
        };
        let answers = join_all((0..8).map(create)).await;
        let (made, refused): (Vec<_>, Vec<_>) = answers.into_iter().partition(Result::is_ok);
        assert_eq!(made.len(), 1, "{:?}", server.database);
        for answer in refused {
            assert!(answer.unwrap_err().is_reason("RESOURCE_EXISTS"));
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn given_caps_that_together_exceed_the_budget_when_set_at_once_then_the_budget_holds() {
    for database in TestDatabase::each_engine().await {
        let server = Server::over(database, None).await;
        let owner = crate::make::advertiser(&server).await;
        let mut order = crate::make::new_campaign(&owner.id);
        order.campaign.as_mut().unwrap().budget_total_micros = Some(100);
        let order = server
            .client
            .create_campaign(order)
            .await
            .unwrap()
            .campaign
            .unwrap();
        let capped = |_| {
            let mut request = new_line_item(&order.id);
            request.line_item.as_mut().unwrap().lifetime_cap_micros = Some(30);
            server.client.create_line_item(request)
        };
        let answers = join_all((0..8).map(capped)).await;
        let made = answers.iter().filter(|answer| answer.is_ok()).count();
        assert_eq!(made, 3, "{:?}", server.database);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn given_each_engine_when_an_order_is_placed_then_it_delivers() {
    for database in TestDatabase::each_engine().await {
        let billing = FakeBilling::start().await.unwrap();
        let server = Server::over(database, Some(billing)).await;
        let owner = active_advertiser(&server, 50_000_000).await;
        let order = campaign_of(&server, &owner.id).await;
        let item = line_item_of(&server, &order.id).await;
        approve(&server, order).await;
        until("an enabled line item", async || {
            let request = pb::EnableLineItemRequest {
                request_id: request_id(),
                id: item.id.clone(),
                etag: item.etag.clone(),
            };
            server.client.enable_line_item(request).await.ok()
        })
        .await;
        until("delivery", async || {
            let request = pb::GetLineItemRequest {
                id: item.id.clone(),
            };
            let now = server
                .client
                .get_line_item(request)
                .await
                .unwrap()
                .line_item?;
            (now.status() == pb::LineItemStatus::Delivering).then_some(())
        })
        .await;
        assert!(server.running.shutdown().await.clean);
    }
}
