use operations_client::pb;
use tonic::Code;

use crate::make::{advertiser, campaign, new_advertiser, new_campaign, new_line_item};
use crate::server::{Server, faulty, refused, request_id};

#[tokio::test]
async fn given_many_bad_fields_when_created_then_all_are_named_at_once() {
    let server = Server::alone().await;
    let request = pb::CreateAdvertiserRequest {
        request_id: "seven".to_owned(),
        advertiser: Some(pb::Advertiser {
            id: "camp_01h455vb4pex5vsknk084sn02q".to_owned(),
            display_name: "x".repeat(201),
            domain: "a\nb".to_owned(),
            time_zone: "Mars/Olympus".to_owned(),
            currency_code: "inr".to_owned(),
            billing_proposal: Some(pb::BillingProposal {
                mode: 99,
                ..Default::default()
            }),
            ..Default::default()
        }),
    };
    let fields = faulty(server.client.create_advertiser(request).await);
    assert_eq!(
        fields,
        [
            "request_id",
            "advertiser.id",
            "advertiser.display_name",
            "advertiser.domain",
            "advertiser.time_zone",
            "advertiser.currency_code",
            "advertiser.billing_proposal.mode",
        ]
    );
    let fields = faulty(server.client.create_advertiser(Default::default()).await);
    assert_eq!(fields, ["request_id", "advertiser"]);
}

#[tokio::test]
async fn given_money_that_cannot_be_when_proposed_then_it_is_refused() {
    let server = Server::alone().await;
    for (mode, limit) in [(2, -1), (1, 1), (2, i64::MIN)] {
        let mut request = new_advertiser();
        let proposal = pb::BillingProposal {
            mode,
            credit_limit_micros: limit,
            net_days: 0,
        };
        request.advertiser.as_mut().unwrap().billing_proposal = Some(proposal);
        let fields = faulty(server.client.create_advertiser(request).await);
        assert_eq!(fields, ["advertiser.billing_proposal.credit_limit_micros"]);
    }
    let owner = advertiser(&server).await;
    let mut request = new_campaign(&owner.id);
    request.campaign.as_mut().unwrap().budget_total_micros = Some(0);
    let fields = faulty(server.client.create_campaign(request).await);
    assert_eq!(fields, ["campaign.budget_total_micros"]);
}

#[tokio::test]
async fn given_instants_beyond_the_calendar_when_sent_then_they_are_refused() {
    let server = Server::alone().await;
    let owner = advertiser(&server).await;
    for (seconds, nanos) in [(i64::MAX, 0), (i64::MIN, 0), (0, -1), (0, i32::MAX)] {
        let mut request = new_campaign(&owner.id);
        let start = prost_types::Timestamp { seconds, nanos };
        request.campaign.as_mut().unwrap().start_time = Some(start);
        let fields = faulty(server.client.create_campaign(request).await);
        assert_eq!(fields, ["campaign.start_time"]);
    }
}

#[tokio::test]
async fn given_ids_of_other_kinds_when_sent_then_they_are_refused_by_field() {
    let server = Server::alone().await;
    let order = campaign(&server).await;
    let wrong = pb::GetLineItemRequest {
        id: order.id.clone(),
    };
    assert_eq!(faulty(server.client.get_line_item(wrong).await), ["id"]);
    let empty = pb::GetGameRequest::default();
    assert_eq!(faulty(server.client.get_game(empty).await), ["id"]);
    let mut request = new_line_item(&order.advertiser_id);
    request.line_item.as_mut().unwrap().kind = 77;
    request.line_item.as_mut().unwrap().priority = 17;
    request.line_item.as_mut().unwrap().goal_count = Some(-1);
    let fields = faulty(server.client.create_line_item(request).await);
    assert_eq!(
        fields,
        [
            "line_item.campaign_id",
            "line_item.kind",
            "line_item.priority",
            "line_item.goal_count",
        ]
    );
}

#[tokio::test]
async fn given_pages_that_cannot_be_when_asked_for_then_they_are_refused_or_clamped() {
    let server = Server::alone().await;
    advertiser(&server).await;
    let list = |page_size, page_token: &str| {
        server.client.list_advertisers(pb::ListAdvertisersRequest {
            page_size,
            page_token: page_token.to_owned(),
            ..Default::default()
        })
    };
    assert_eq!(faulty(list(-1, "").await), ["page_size"]);
    assert_eq!(list(i32::MAX, "").await.unwrap().advertisers.len(), 1);
    for token in ["x", "AAAA", "%%%", &"A".repeat(4000)] {
        refused(
            list(1, token).await,
            Code::InvalidArgument,
            "PAGE_TOKEN_INVALID",
        );
    }
    let unknown = pb::ListAdvertisersRequest {
        states: vec![1, 99],
        ..Default::default()
    };
    assert_eq!(
        faulty(server.client.list_advertisers(unknown).await),
        ["states[1]"]
    );
}

#[tokio::test]
async fn given_a_verb_without_etag_or_with_a_strange_one_when_called_then_nothing_changes() {
    let server = Server::alone().await;
    let subject = advertiser(&server).await;
    let archive = |etag: &str| {
        server
            .client
            .archive_advertiser(pb::ArchiveAdvertiserRequest {
                request_id: request_id(),
                id: subject.id.clone(),
                etag: etag.to_owned(),
            })
    };
    assert_eq!(faulty(archive("").await), ["etag"]);
    for strange in ["0", "-1", "01x", "99999999999999999999"] {
        refused(archive(strange).await, Code::Aborted, "ETAG_MISMATCH");
    }
    assert!(archive(&subject.etag).await.is_ok());
}

#[tokio::test]
async fn given_batches_that_cannot_be_when_asked_for_then_they_are_refused() {
    let server = Server::alone().await;
    let parties = |ids: Vec<String>| {
        let request = pb::BatchGetPartiesRequest { ids };
        server.client.batch_get_parties(request)
    };
    assert_eq!(faulty(parties(Vec::new()).await), ["ids"]);
    assert_eq!(faulty(parties(vec![String::new(); 1001]).await), ["ids"]);
    assert_eq!(faulty(parties(vec!["camp_x".to_owned()]).await), ["ids[0]"]);
    let keys = vec![pb::LineItemTermsKey::default()];
    let request = pb::BatchGetLineItemTermsRequest { keys };
    let fields = faulty(server.client.batch_get_line_item_terms(request).await);
    assert_eq!(fields, ["keys[0].line_item_id", "keys[0].version"]);
}
