//! `FreezeDelivery`.

use operations_client::pb;
use pb::row_rejection::Reason;
use tonic::Code;

use crate::network::Network;
use crate::report::{batch, report};
use crate::server::{Server, refused, request};

#[tokio::test]
async fn given_a_frozen_past_then_it_takes_corrections_only() {
    let server = Server::start().await;
    let network = Network::draft(&server, pb::LineItem::default()).await;
    let rows = vec![network.row(&server, 3, 1, 3), network.row(&server, 1, 1, 1)];
    report(&server, vec![batch(rows)]).await.unwrap();
    let freeze = pb::FreezeDeliveryRequest {
        request_id: request(),
        through_time: Some(server.hour(2)),
    };

    // Given a source that has not said that it is complete, then nothing freezes.
    let answer = server.client.freeze_delivery(freeze.clone()).await;
    let error = refused(
        answer,
        Code::FailedPrecondition,
        pb::ErrorReason::DeliveryIncomplete,
    );
    assert_eq!(error.metadata["source"], "adserver");

    let mut complete = batch(Vec::new());
    complete.complete_through = Some(server.hour(2));
    report(&server, vec![complete]).await.unwrap();
    // The refusal is the outcome of that request for ever; another one is another question.
    let answer = server.client.freeze_delivery(freeze).await;
    refused(
        answer,
        Code::FailedPrecondition,
        pb::ErrorReason::DeliveryIncomplete,
    );
    let freeze = pb::FreezeDeliveryRequest {
        request_id: request(),
        through_time: Some(server.hour(2)),
    };
    let frozen = server.client.freeze_delivery(freeze.clone()).await.unwrap();
    assert_eq!(
        (frozen.frozen_count, frozen.through_time),
        (1, Some(server.hour(2)))
    );
    let again = server.client.freeze_delivery(freeze.clone()).await.unwrap();
    assert_eq!(again, frozen);
    let other = pb::FreezeDeliveryRequest {
        through_time: Some(server.hour(1)),
        ..freeze
    };
    let answer = server.client.freeze_delivery(other).await;
    refused(
        answer,
        Code::FailedPrecondition,
        pb::ErrorReason::RequestMismatch,
    );

    let mut correction = network.row(&server, 3, 2, 2);
    correction.reason = pb::DeliveryReason::Discrepancy.into();
    let rows = vec![network.row(&server, 4, 1, 1), correction];
    let answer = report(&server, vec![batch(rows)]).await.unwrap();
    assert_eq!((answer.updated_count, answer.rejected_count), (1, 1));
    assert_eq!(answer.rejections[0].reason(), Reason::Frozen);

    let listed = server
        .client
        .list_delivery(Default::default())
        .await
        .unwrap();
    let states: Vec<_> = listed.rows.iter().map(pb::DeliveryRow::state).collect();
    assert_eq!(
        states,
        [pb::DeliveryState::Frozen, pb::DeliveryState::Provisional]
    );
}

#[tokio::test]
async fn given_an_instant_that_cannot_be_frozen_then_the_field_is_named() {
    let server = Server::start().await;
    for through_time in [None, Some(server.hour(-2))] {
        let freeze = pb::FreezeDeliveryRequest {
            request_id: request(),
            through_time,
        };
        let answer = server.client.freeze_delivery(freeze).await;
        let error = refused(answer, Code::InvalidArgument, pb::ErrorReason::InvalidField);
        assert_eq!(error.violations[0].field, "through_time");
    }
}
