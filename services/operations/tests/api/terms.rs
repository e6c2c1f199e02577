use operations_client::pb;
use operations_client::types::PricingModel;
use tonic::Code;

use crate::make::{approve, campaign, cpm, line_item, line_item_of, new_line_item};
use crate::server::{Server, faulty, refused, request_id};

fn publish(subject: &pb::LineItem, terms: pb::LineItemTerms) -> pb::PublishTermsRequest {
    pb::PublishTermsRequest {
        request_id: request_id(),
        line_item_id: subject.id.clone(),
        etag: subject.etag.clone(),
        terms: Some(terms),
    }
}

fn key(line_item_id: &str, version: i64) -> pb::LineItemTermsKey {
    pb::LineItemTermsKey {
        line_item_id: line_item_id.to_owned(),
        version,
    }
}

#[tokio::test]
async fn given_versions_when_published_then_they_count_up_and_stay_as_they_are() {
    let server = Server::alone().await;
    let subject = line_item(&server).await;
    let cost_plus = pb::LineItemTerms {
        pricing_model: PricingModel::CostPlus.into(),
        rate_micros: 1_000_000,
        billing_cap_micros: Some(5),
        ..cpm()
    };
    let answer = server
        .client
        .publish_terms(publish(&subject, cost_plus))
        .await;
    let answer = answer.unwrap();
    let second = answer.terms.unwrap();
    assert_eq!((second.version, second.unit), (2, 1_000_000));
    assert_eq!(second.currency_code, "INR");
    assert_eq!(second.campaign_name, "Spring");
    assert_eq!(answer.line_item.unwrap().terms_version, 2);

    let list = |page_size, page_token: &str| {
        server.client.list_terms(pb::ListTermsRequest {
            line_item_id: subject.id.clone(),
            page_size,
            page_token: page_token.to_owned(),
        })
    };
    let first = list(1, "").await.unwrap();
    assert_eq!(first.terms[0].version, 1);
    let rest = list(1, &first.next_page_token).await.unwrap();
    assert_eq!(rest.terms, std::slice::from_ref(&second));
    assert_eq!(rest.next_page_token, "");

    let nobody = cleave_kernel::LineItemId::generate().to_string();
    let keys = vec![key(&subject.id, 2), key(&nobody, 1), key(&subject.id, 1)];
    let found = server
        .client
        .batch_get_line_item_terms(pb::BatchGetLineItemTermsRequest { keys: keys.clone() })
        .await
        .unwrap();
    assert_eq!(found.terms, [second, first.terms[0].clone()]);
    assert_eq!(found.missing_keys, [keys[1].clone()]);
}

#[tokio::test]
async fn given_terms_that_cannot_be_when_published_then_they_are_refused() {
    let server = Server::alone().await;
    let subject = line_item(&server).await;
    let cases = [
        (
            pb::LineItemTerms {
                rate_micros: -1,
                ..cpm()
            },
            "terms.rate_micros",
        ),
        (pb::LineItemTerms { unit: -1, ..cpm() }, "terms.unit"),
        (
            pb::LineItemTerms {
                billing_cap_micros: Some(0),
                ..cpm()
            },
            "terms.billing_cap_micros",
        ),
        (
            pb::LineItemTerms {
                pricing_model: 0,
                ..cpm()
            },
            "terms.pricing_model",
        ),
        (
            pb::LineItemTerms {
                billing_source: 9,
                ..cpm()
            },
            "terms.billing_source",
        ),
        (
            pb::LineItemTerms {
                overdelivery_policy: 0,
                ..cpm()
            },
            "terms.overdelivery_policy",
        ),
    ];
    for (terms, field) in cases {
        let answer = server.client.publish_terms(publish(&subject, terms)).await;
        assert_eq!(faulty(answer), [field]);
    }
    let order = campaign(&server).await;
    let mut house = new_line_item(&order.id);
    house.line_item.as_mut().unwrap().kind = pb::LineItemKind::House.into();
    let fields = faulty(server.client.create_line_item(house).await);
    assert_eq!(fields, ["terms.rate_micros"]);
    let listed = server
        .client
        .list_line_items(pb::ListLineItemsRequest {
            campaign_id: order.id,
            ..Default::default()
        })
        .await
        .unwrap();
    assert!(listed.line_items.is_empty());
}

#[tokio::test]
async fn given_an_approved_campaign_when_the_billing_source_changes_then_it_is_frozen() {
    let server = Server::alone().await;
    let order = campaign(&server).await;
    let subject = line_item_of(&server, &order.id).await;
    approve(&server, order).await;
    let other_source = pb::LineItemTerms {
        billing_source: pb::BillingSource::ThirdParty.into(),
        ..cpm()
    };
    let error = refused(
        server
            .client
            .publish_terms(publish(&subject, other_source))
            .await,
        Code::FailedPrecondition,
        "TERMS_FROZEN",
    );
    assert_eq!(error.metadata["field"], "billing_source");
    let dearer = pb::LineItemTerms {
        rate_micros: 2_000_000,
        ..cpm()
    };
    let answer = server.client.publish_terms(publish(&subject, dearer)).await;
    assert_eq!(answer.unwrap().terms.unwrap().version, 2);
}

#[tokio::test]
async fn given_nobody_when_terms_are_published_or_listed_then_it_is_not_found() {
    let server = Server::alone().await;
    let mut subject = line_item(&server).await;
    subject.id = cleave_kernel::LineItemId::generate().to_string();
    refused(
        server.client.publish_terms(publish(&subject, cpm())).await,
        Code::NotFound,
        "RESOURCE_NOT_FOUND",
    );
    let request = pb::ListTermsRequest {
        line_item_id: subject.id,
        ..Default::default()
    };
    refused(
        server.client.list_terms(request).await,
        Code::NotFound,
        "RESOURCE_NOT_FOUND",
    );
}
