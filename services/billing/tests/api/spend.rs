//! What is read of rated delivery.

use crate::delivery::Pair;
use crate::server::{Server, fields, refused};
use billing_client::pb;
use operations_client::fake::new_id;
use tonic::Code;

#[tokio::test]
async fn charges_come_in_pages_with_their_funding() {
    let pair = Pair::start(50).await;
    pair.publish_terms(1, 1);
    // Four months, so four buckets.
    let hours = [0, 24 * 32, 24 * 63, 24 * 93];
    pair.operations
        .report(hours.map(|hour| pair.row(hour, 1, 20)));
    pair.rated(80).await;
    let mut request = pb::ListChargesRequest {
        page_size: 3,
        line_item_id: pair.line_item.clone(),
        ..pb::ListChargesRequest::default()
    };
    let first = pair
        .server
        .client
        .list_charges(request.clone())
        .await
        .unwrap();
    assert_eq!(first.charges.len(), 3);
    let charge = &first.charges[0];
    assert_eq!(
        (charge.period.as_str(), charge.quantity, charge.row_count),
        ("2026-11", 20, 1)
    );
    assert_eq!(
        (
            charge.billed_micros,
            charge.earning_micros,
            charge.revenue_micros
        ),
        (20, 14, 6)
    );
    assert_eq!(charge.share_ppm, 700_000);
    let funding = &first.fundings[0];
    assert_eq!((funding.charged_micros, funding.unfunded_micros), (50, 30));
    request.page_token = first.next_page_token;
    let second = pair
        .server
        .client
        .list_charges(request.clone())
        .await
        .unwrap();
    assert_eq!(
        (second.charges.len(), second.next_page_token.as_str()),
        (1, "")
    );
    request.line_item_id.clear();
    let other = pair.server.client.list_charges(request).await;
    let error = refused(other, Code::InvalidArgument, "INVALID_REQUEST");
    assert_eq!(fields(&error), ["page_token"]);

    let mut earnings = pb::GetPublisherEarningsRequest {
        publisher_id: pair.publisher.ops_ref.clone(),
        start_period: "2026-12".to_owned(),
        end_period: "2027-01".to_owned(),
        group_by: pb::get_publisher_earnings_request::GroupBy::AdUnit.into(),
        page_size: 1,
        ..pb::GetPublisherEarningsRequest::default()
    };
    let mut periods = Vec::new();
    loop {
        let page = pair
            .server
            .client
            .get_publisher_earnings(earnings.clone())
            .await
            .unwrap()
            .value;
        for earning in page.earnings {
            assert_eq!(
                (earning.estimated_micros, earning.ad_unit_id),
                (14, pair.ad_unit.clone())
            );
            periods.push(earning.period);
        }
        if page.next_page_token.is_empty() {
            break;
        }
        earnings.page_token = page.next_page_token;
    }
    assert_eq!(periods, ["2026-12", "2027-01"]);
}

#[tokio::test]
async fn spend_of_nothing_known_is_missing_and_holds_are_spend() {
    let server = Server::start().await;
    let account = server.advertiser(100).await;
    let order = crate::server::order(&account, 40);
    server.client.reserve_budget(order.clone()).await.unwrap();
    let unknown = new_id("line");
    let request = pb::BatchGetSpendRequest {
        line_item_ids: vec![unknown.clone(), order.line_item_id.clone()],
    };
    let spend = server.client.batch_get_spend(request).await.unwrap().value;
    assert_eq!(spend.missing_line_item_ids, [unknown]);
    assert_eq!(spend.spends.len(), 1);
    assert_eq!(
        (spend.spends[0].held_micros, spend.spends[0].rated_micros),
        (40, 0)
    );
    assert_eq!(spend.rated_through_time, None);
}

#[tokio::test]
async fn malformed_questions_are_refused_field_by_field() {
    let server = Server::start().await;
    let request = pb::BatchGetSpendRequest {
        line_item_ids: vec![new_id("line"), new_id("camp")],
    };
    let error = refused(
        server.client.batch_get_spend(request).await,
        Code::InvalidArgument,
        "INVALID_REQUEST",
    );
    assert_eq!(fields(&error), ["line_item_ids[1]"]);
    for count in [0, 1001] {
        let request = pb::BatchGetSpendRequest {
            line_item_ids: vec![new_id("line"); count],
        };
        let answer = server.client.batch_get_spend(request).await;
        refused(answer, Code::InvalidArgument, "INVALID_REQUEST");
    }
    let request = pb::GetPublisherEarningsRequest {
        publisher_id: new_id("adv"),
        start_period: "2026-13".to_owned(),
        end_period: "x".to_owned(),
        group_by: 99,
        ..pb::GetPublisherEarningsRequest::default()
    };
    let answer = server.client.get_publisher_earnings(request).await;
    let error = refused(answer, Code::InvalidArgument, "INVALID_REQUEST");
    assert_eq!(
        fields(&error),
        ["publisher_id", "start_period", "end_period", "group_by"]
    );
    let request = pb::ListChargesRequest {
        advertiser_id: "x".to_owned(),
        period: "November".to_owned(),
        ..pb::ListChargesRequest::default()
    };
    let answer = server.client.list_charges(request).await;
    let error = refused(answer, Code::InvalidArgument, "INVALID_REQUEST");
    assert_eq!(fields(&error), ["advertiser_id", "period"]);
    let request = pb::ListParkedRowsRequest {
        page_size: -1,
        ..pb::ListParkedRowsRequest::default()
    };
    let answer = server.client.list_parked_rows(request).await;
    let error = refused(answer, Code::InvalidArgument, "INVALID_REQUEST");
    assert_eq!(fields(&error), ["page_size"]);
}
