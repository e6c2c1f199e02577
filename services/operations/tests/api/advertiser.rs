use operations_client::pb;
use pb::advertiser::State;
use tonic::Code;

use crate::make::{active_advertiser, advertiser, new_advertiser};
use crate::server::{Server, advertiser_now, faulty, mask, refused, request_id, until};

fn suspend(subject: &pb::Advertiser) -> pb::SuspendAdvertiserRequest {
    pb::SuspendAdvertiserRequest {
        request_id: request_id(),
        id: subject.id.clone(),
        etag: subject.etag.clone(),
    }
}

#[tokio::test]
async fn given_a_proposal_when_billing_opens_the_account_then_the_advertiser_is_active() {
    let server = Server::start().await;

    let active = active_advertiser(&server, 0).await;

    assert!(active.account_id.starts_with("acct_"));
    assert_eq!(active.time_zone, "Asia/Kolkata");
    let standing = server.billing().standing(&active.id).unwrap();
    assert_eq!(standing.account_id, active.account_id);
}

#[tokio::test]
async fn given_billing_away_when_created_then_it_waits_and_is_active_once_billing_is_back() {
    let server = Server::start().await;
    server.billing().server().go_down().await;
    let waiting = advertiser(&server).await;
    assert_eq!(waiting.state(), State::PendingBilling);

    server.billing().server().come_up().await.unwrap();

    until("an active advertiser", async || {
        let now = advertiser_now(&server, &waiting.id).await;
        (now.state() == State::Active).then_some(())
    })
    .await;
}

#[tokio::test]
async fn given_a_request_sent_again_when_it_was_done_then_it_answers_as_before() {
    let server = Server::alone().await;
    let request = new_advertiser();

    let first = server
        .client
        .create_advertiser(request.clone())
        .await
        .unwrap();
    let again = server
        .client
        .create_advertiser(request.clone())
        .await
        .unwrap();

    assert_eq!(first, again);
    let mut other = request;
    other.advertiser.as_mut().unwrap().display_name = "Other".to_owned();
    let error = refused(
        server.client.create_advertiser(other.clone()).await,
        Code::FailedPrecondition,
        "REQUEST_MISMATCH",
    );
    assert_eq!(error.metadata["request_id"], other.request_id);
    let all = server
        .client
        .list_advertisers(pb::ListAdvertisersRequest::default());
    assert_eq!(all.await.unwrap().advertisers.len(), 1);
}

#[tokio::test]
async fn given_a_refusal_when_the_request_is_sent_again_then_it_stays_refused() {
    let server = Server::start().await;
    server.billing().server().go_down().await;
    let waiting = advertiser(&server).await;
    let request = suspend(&waiting);
    let first = server.client.suspend_advertiser(request.clone()).await;
    let first = refused(first, Code::FailedPrecondition, "STATE_NOT_ALLOWED");
    server.billing().server().come_up().await.unwrap();
    until("an active advertiser", async || {
        let now = advertiser_now(&server, &waiting.id).await;
        (now.state() == State::Active).then_some(())
    })
    .await;

    let again = server.client.suspend_advertiser(request).await;

    let again = refused(again, Code::FailedPrecondition, "STATE_NOT_ALLOWED");
    assert_eq!(again.message, first.message);
}

#[tokio::test]
async fn given_an_etag_that_is_stale_when_changed_then_it_is_refused_and_nothing_changes() {
    let server = Server::start().await;
    let active = active_advertiser(&server, 0).await;
    let suspended = server.client.suspend_advertiser(suspend(&active)).await;
    let suspended = suspended.unwrap().advertiser.unwrap();
    assert_eq!(suspended.state(), State::Suspended);

    let error = refused(
        server.client.suspend_advertiser(suspend(&active)).await,
        Code::Aborted,
        "ETAG_MISMATCH",
    );
    assert_eq!(error.metadata["resource_id"], active.id);

    let error = refused(
        server.client.suspend_advertiser(suspend(&suspended)).await,
        Code::FailedPrecondition,
        "STATE_NOT_ALLOWED",
    );
    assert_eq!(error.metadata["state"], "SUSPENDED");
    assert_eq!(advertiser_now(&server, &active.id).await, suspended);
}

#[tokio::test]
async fn given_each_verb_when_called_then_the_state_follows() {
    let server = Server::start().await;
    let active = active_advertiser(&server, 0).await;
    let suspended = server.client.suspend_advertiser(suspend(&active)).await;
    let suspended = suspended.unwrap().advertiser.unwrap();

    let resumed = server
        .client
        .resume_advertiser(pb::ResumeAdvertiserRequest {
            request_id: request_id(),
            id: suspended.id.clone(),
            etag: suspended.etag,
        })
        .await
        .unwrap()
        .advertiser
        .unwrap();
    assert_eq!(resumed.state(), State::Active);

    let archived = server
        .client
        .archive_advertiser(pb::ArchiveAdvertiserRequest {
            request_id: request_id(),
            id: resumed.id,
            etag: resumed.etag,
        })
        .await
        .unwrap()
        .advertiser
        .unwrap();
    assert_eq!(archived.state(), State::Archived);
    assert_eq!(archived.etag, "5");
}

#[tokio::test]
async fn given_a_mask_when_updated_then_its_fields_change_and_no_others() {
    let server = Server::alone().await;
    let before = advertiser(&server).await;
    let update = |advertiser, update_mask| {
        server
            .client
            .update_advertiser(pb::UpdateAdvertiserRequest {
                request_id: request_id(),
                advertiser: Some(advertiser),
                update_mask,
            })
    };

    let mut wanted = before.clone();
    wanted.display_name = "Coffee House".to_owned();
    wanted.category = "drinks".to_owned();
    let masked = update(wanted.clone(), mask(&["category", "state"])).await;
    let masked = masked.unwrap().advertiser.unwrap();
    assert_eq!(masked.display_name, "Tea House");
    assert_eq!(masked.category, "drinks");

    wanted.etag.clone_from(&masked.etag);
    wanted.category = String::new();
    let populated = update(wanted.clone(), None)
        .await
        .unwrap()
        .advertiser
        .unwrap();
    assert_eq!(populated.display_name, "Coffee House");
    assert_eq!(populated.category, "drinks");

    wanted.etag.clone_from(&populated.etag);
    let all = update(wanted.clone(), mask(&["*"]))
        .await
        .unwrap()
        .advertiser
        .unwrap();
    assert_eq!(all.category, "");

    wanted.etag = all.etag;
    let fields = faulty(update(wanted.clone(), mask(&["currency_code"])).await);
    assert_eq!(fields, ["update_mask.paths[0]"]);
    wanted.display_name = String::new();
    let fields = faulty(update(wanted, mask(&["display_name"])).await);
    assert_eq!(fields, ["advertiser.display_name"]);
}

#[tokio::test]
async fn given_taken_ids_and_references_when_created_then_the_holder_is_named() {
    let server = Server::alone().await;
    let mut request = new_advertiser();
    request.advertiser.as_mut().unwrap().external_ref = "erp-7".to_owned();
    let holder = server.client.create_advertiser(request.clone()).await;
    let holder = holder.unwrap().advertiser.unwrap();

    request.request_id = request_id();
    let error = refused(
        server.client.create_advertiser(request.clone()).await,
        Code::AlreadyExists,
        "RESOURCE_EXISTS",
    );
    assert_eq!(error.metadata["resource_id"], holder.id);
    assert_eq!(error.metadata["field"], "external_ref");

    request.request_id = request_id();
    let wanted = request.advertiser.as_mut().unwrap();
    wanted.external_ref = String::new();
    wanted.id.clone_from(&holder.id);
    let error = refused(
        server.client.create_advertiser(request).await,
        Code::AlreadyExists,
        "RESOURCE_EXISTS",
    );
    assert_eq!(error.metadata["field"], "id");
}

#[tokio::test]
async fn given_more_than_a_page_when_listed_then_tokens_lead_through_all_of_them() {
    let server = Server::alone().await;
    let mut made = Vec::new();
    for _ in 0..5 {
        made.push(advertiser(&server).await.id);
    }
    let mut request = pb::ListAdvertisersRequest {
        page_size: 2,
        states: vec![State::PendingBilling.into()],
        ..Default::default()
    };
    let mut seen = Vec::new();
    loop {
        let page = server
            .client
            .list_advertisers(request.clone())
            .await
            .unwrap();
        assert!(page.advertisers.len() <= 2);
        seen.extend(page.advertisers.into_iter().map(|found| found.id));
        if page.next_page_token.is_empty() {
            break;
        }
        request.page_token = page.next_page_token;
    }
    made.sort();
    seen.sort();
    assert_eq!(seen, made);

    request.states = vec![State::Active.into()];
    refused(
        server.client.list_advertisers(request.clone()).await,
        Code::InvalidArgument,
        "PAGE_TOKEN_INVALID",
    );
    request.page_token = String::new();
    let none = server.client.list_advertisers(request).await.unwrap();
    assert!(none.advertisers.is_empty());
}

#[tokio::test]
async fn given_nobody_when_asked_for_then_it_is_not_found() {
    let server = Server::alone().await;
    let id = cleave_kernel::AdvertiserId::generate().to_string();
    let request = pb::GetAdvertiserRequest { id: id.clone() };
    let error = refused(
        server.client.get_advertiser(request).await,
        Code::NotFound,
        "RESOURCE_NOT_FOUND",
    );
    assert_eq!(error.metadata["resource_type"], "advertiser");
    assert_eq!(error.metadata["resource_id"], id);
}
