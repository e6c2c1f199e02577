//! `ListDelivery` and `GetDeliveryDigest`.

use operations_client::{digest, pb};
use tonic::Code;

use crate::network::Network;
use crate::report::{batch, report};
use crate::server::{Server, refused};

async fn with_rows(count: i64) -> (Server, Network) {
    let server = Server::start().await;
    let network = Network::draft(&server, pb::LineItem::default()).await;
    let rows = (1..=count).map(|back| network.row(&server, back, 1, back));
    report(&server, vec![batch(rows.collect())]).await.unwrap();
    (server, network)
}

#[tokio::test]
async fn given_rows_then_pages_hold_each_once_by_hour() {
    let (server, network) = with_rows(7).await;
    let mut asked = pb::ListDeliveryRequest {
        page_size: 3,
        campaign_id: network.campaign_id.clone(),
        ..Default::default()
    };
    let mut rows = Vec::new();
    loop {
        let page = server.client.list_delivery(asked.clone()).await.unwrap();
        assert!(page.rows.len() <= 3 && page.revision == 7);
        rows.extend(page.rows);
        if page.next_page_token.is_empty() {
            break;
        }
        asked.page_token = page.next_page_token;
    }
    let impressions: Vec<i64> = rows
        .iter()
        .map(|row| row.counts.unwrap().impressions)
        .collect();
    assert_eq!(impressions, [7, 6, 5, 4, 3, 2, 1]);

    let token = server
        .client
        .list_delivery(pb::ListDeliveryRequest {
            page_size: 1,
            ..Default::default()
        })
        .await
        .unwrap()
        .next_page_token;
    let misused = pb::ListDeliveryRequest {
        page_token: token,
        ..asked
    };
    let answer = server.client.list_delivery(misused).await;
    refused(
        answer,
        Code::InvalidArgument,
        pb::ErrorReason::PageTokenInvalid,
    );
}

#[tokio::test]
async fn given_filters_that_cannot_be_then_each_field_is_named() {
    let (server, _) = with_rows(1).await;
    let asked = pb::ListDeliveryRequest {
        source: "NO".to_owned(),
        line_item_id: "line_x".to_owned(),
        ad_unit_id: "unit".to_owned(),
        ..Default::default()
    };
    let answer = server.client.list_delivery(asked).await;
    let error = refused(answer, Code::InvalidArgument, pb::ErrorReason::InvalidField);
    let fields: Vec<&str> = error
        .violations
        .iter()
        .map(|fault| fault.field.as_str())
        .collect();
    assert_eq!(fields, ["source", "line_item_id", "ad_unit_id"]);
    let negative = pb::ListDeliveryRequest {
        page_size: -1,
        ..Default::default()
    };
    let answer = server.client.list_delivery(negative).await;
    refused(answer, Code::InvalidArgument, pb::ErrorReason::InvalidField);
}

#[tokio::test]
async fn given_rows_then_the_digest_is_that_of_the_rows_that_are_listed() {
    let (server, _) = with_rows(40).await;
    let asked = pb::GetDeliveryDigestRequest {
        source: "adserver".to_owned(),
        start_time: Some(server.hour(100)),
        end_time: Some(server.hour(0)),
    };
    let answer = server
        .client
        .get_delivery_digest(asked.clone())
        .await
        .unwrap();
    assert!((2..=3).contains(&answer.digests.len()), "{answer:?}");
    let count: i64 = answer.digests.iter().map(|day| day.row_count).sum();
    let impressions: i64 = answer
        .digests
        .iter()
        .map(|day| day.counts.unwrap().impressions)
        .sum();
    assert_eq!((count, impressions, answer.revision), (40, 820, 40));

    let first = &answer.digests[0];
    let day = first.day.unwrap();
    let end = prost_types::Timestamp {
        seconds: day.seconds + 86_400,
        nanos: 0,
    };
    let listed = server
        .client
        .list_delivery(pb::ListDeliveryRequest {
            page_size: 100,
            start_time: Some(day),
            end_time: Some(end),
            ..Default::default()
        })
        .await
        .unwrap();
    assert_eq!(first.digest, digest::of_rows(&listed.rows).unwrap());

    let backwards = pb::GetDeliveryDigestRequest {
        end_time: Some(server.hour(200)),
        ..asked.clone()
    };
    let answer = server.client.get_delivery_digest(backwards).await;
    refused(answer, Code::InvalidArgument, pb::ErrorReason::InvalidField);
    let long = pb::GetDeliveryDigestRequest {
        start_time: Some(server.hour(63 * 24)),
        ..asked
    };
    let answer = server.client.get_delivery_digest(long).await;
    refused(answer, Code::InvalidArgument, pb::ErrorReason::InvalidField);
}
