//! One account's life on every engine there is, through the contract alone.

use crate::server::{Server, inr, order, payment, refused, request_id};
use billing_client::pb;
use billing_client::types::AccountStanding;
use cleave_storage::testing::TestDatabase;
use futures::StreamExt;
use tonic::Code;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn given_each_engine_when_an_account_lives_its_life_then_the_answers_are_the_same() {
    for database in TestDatabase::each_engine().await {
        let engine = format!("{database:?}");
        let server = Server::over(database).await;
        let account = server.advertiser(0).await;
        let publisher = server.publisher().await;
        assert_eq!(account.standing(), AccountStanding::OnHold, "{engine}");
        let paid = payment(&account.id, 9_000);
        let first = server.client.record_payment(paid.clone()).await.unwrap();
        assert_eq!(server.client.record_payment(paid).await.unwrap(), first);

        let held = server.client.reserve_budget(order(&account, 4_000)).await;
        let reservation = held.unwrap().reservation.unwrap();
        let release = pb::ReleaseReservationRequest {
            request_id: request_id(),
            reservation_id: reservation.id.clone(),
            counted_spend: inr(1_500),
        };
        let released = server.client.release_reservation(release).await.unwrap();
        assert_eq!(released.freed, inr(2_500), "{engine}");
        let standing = server.standing(&account.id).await;
        assert_eq!(
            (standing.available_micros, standing.held_micros),
            (7_500, 1_500)
        );
        let answer = server.client.reserve_budget(order(&publisher, 1)).await;
        refused(answer, Code::InvalidArgument, "INVALID_REQUEST");

        let watched = pb::WatchAccountsRequest::default();
        let mut watch = server.client.watch_accounts(watched).await.unwrap();
        let all = watch.next().await.unwrap().unwrap();
        assert_eq!(all.accounts.len(), 2, "{engine}");
        drop(watch);
        let summary = server.verified().await;
        assert_eq!((summary.transfer_count, summary.finding_count), (3, 0));
        assert!(server.running.shutdown().await.clean, "{engine}");
    }
}
