use billing_client::types::AccountStanding;
use operations_client::{CallError, pb};
use pb::campaign::State;
use prost_types::Timestamp;
use tonic::Code;

use crate::make::{
    START, active_advertiser, advertiser, approve, campaign, line_item_of, new_campaign,
    new_line_item,
};
use crate::server::{Server, faulty, mask, refused, request_id, until};

fn at(seconds: i64) -> Option<Timestamp> {
    Some(Timestamp {
        seconds: START.seconds + seconds,
        nanos: 0,
    })
}

fn submit(subject: &pb::Campaign) -> pb::SubmitCampaignRequest {
    pb::SubmitCampaignRequest {
        request_id: request_id(),
        id: subject.id.clone(),
        etag: subject.etag.clone(),
        actor: "maker@example.com".to_owned(),
        note: "please".to_owned(),
    }
}

async fn submitted(server: &Server) -> pb::Campaign {
    let draft = campaign(server).await;
    line_item_of(server, &draft.id).await;
    let answer = server.client.submit_campaign(submit(&draft)).await;
    answer.unwrap().campaign.unwrap()
}

async fn update(
    server: &Server,
    campaign: pb::Campaign,
    paths: &[&str],
) -> Result<pb::Campaign, CallError> {
    let request = pb::UpdateCampaignRequest {
        request_id: request_id(),
        campaign: Some(campaign),
        update_mask: mask(paths),
    };
    let answer = server.client.update_campaign(request).await?;
    Ok(answer.campaign.unwrap())
}

#[tokio::test]
async fn given_a_submission_when_the_same_person_decides_then_it_is_refused() {
    let server = Server::alone().await;
    let waiting = submitted(&server).await;
    assert_eq!(waiting.state(), State::PendingApproval);
    let mut decide = pb::ApproveCampaignRequest {
        request_id: request_id(),
        id: waiting.id.clone(),
        etag: waiting.etag.clone(),
        actor: "Maker@example.com".to_owned(),
        note: String::new(),
    };
    let error = refused(
        server.client.approve_campaign(decide.clone()).await,
        Code::FailedPrecondition,
        "SELF_APPROVAL",
    );
    assert_eq!(error.metadata["approval_id"], waiting.approval_id);

    decide.request_id = request_id();
    decide.actor = "checker@example.com".to_owned();
    let answer = server.client.approve_campaign(decide).await.unwrap();
    assert_eq!(answer.campaign.unwrap().state(), State::Approved);
    let approval = answer.approval.unwrap();
    assert_eq!(approval.requester, "maker@example.com");
    assert_eq!(approval.decider, "checker@example.com");
    assert!(approval.decide_time.is_some());
}

#[tokio::test]
async fn given_a_refusal_and_a_withdrawal_when_listed_then_each_request_is_there() {
    let server = Server::alone().await;
    let waiting = submitted(&server).await;
    let mut disapprove = pb::DisapproveCampaignRequest {
        request_id: request_id(),
        id: waiting.id.clone(),
        etag: waiting.etag,
        actor: "checker@example.com".to_owned(),
        note: String::new(),
    };
    let unreasoned = server.client.disapprove_campaign(disapprove.clone()).await;
    assert_eq!(faulty(unreasoned), ["note"]);
    disapprove.note = "too dear".to_owned();
    let refused_one = server.client.disapprove_campaign(disapprove).await.unwrap();
    let refused_one = refused_one.campaign.unwrap();
    assert_eq!(refused_one.state(), State::Disapproved);
    let again = server.client.submit_campaign(submit(&refused_one)).await;
    let again = again.unwrap().campaign.unwrap();
    let withdrawn = server
        .client
        .withdraw_campaign(pb::WithdrawCampaignRequest {
            request_id: request_id(),
            id: again.id.clone(),
            etag: again.etag,
            actor: "maker@example.com".to_owned(),
            note: String::new(),
        })
        .await
        .unwrap();
    assert_eq!(withdrawn.campaign.unwrap().state(), State::Draft);

    let list = |states: Vec<i32>| {
        server.client.list_approvals(pb::ListApprovalsRequest {
            campaign_id: again.id.clone(),
            states,
            ..Default::default()
        })
    };
    let all = list(Vec::new()).await.unwrap().approvals;
    let states: Vec<_> = all.iter().map(pb::Approval::state).collect();
    assert_eq!(
        states,
        [
            pb::approval::State::Rejected,
            pb::approval::State::Withdrawn
        ]
    );
    assert_eq!(all[0].decision_note, "too dear");
    let rejected = list(vec![pb::approval::State::Rejected.into()])
        .await
        .unwrap();
    assert_eq!(rejected.approvals, all[..1]);
}

#[tokio::test]
async fn given_no_line_item_with_terms_when_submitted_then_it_is_incomplete() {
    let server = Server::alone().await;
    let draft = campaign(&server).await;
    let mut bare = new_line_item(&draft.id);
    bare.terms = None;
    server.client.create_line_item(bare).await.unwrap();
    let error = refused(
        server.client.submit_campaign(submit(&draft)).await,
        Code::FailedPrecondition,
        "CAMPAIGN_INCOMPLETE",
    );
    assert_eq!(error.metadata["campaign_id"], draft.id);
    let anonymous = pb::SubmitCampaignRequest {
        actor: String::new(),
        ..submit(&draft)
    };
    assert_eq!(
        faulty(server.client.submit_campaign(anonymous).await),
        ["actor"]
    );
}

#[tokio::test]
async fn given_a_budget_when_line_items_exceed_it_then_they_are_refused_either_way() {
    let server = Server::alone().await;
    let owner = advertiser(&server).await;
    let mut request = new_campaign(&owner.id);
    request.campaign.as_mut().unwrap().budget_total_micros = Some(100);
    let order = server.client.create_campaign(request).await;
    let order = order.unwrap().campaign.unwrap();
    let capped = |cap: i64| {
        let mut request = new_line_item(&order.id);
        request.line_item.as_mut().unwrap().lifetime_cap_micros = Some(cap);
        server.client.create_line_item(request)
    };
    capped(60).await.unwrap();
    let error = refused(
        capped(41).await,
        Code::FailedPrecondition,
        "BUDGET_EXCEEDED",
    );
    assert_eq!(error.metadata["caps_micros"], "101");
    capped(40).await.unwrap();
    let mut lower = order;
    lower.budget_total_micros = Some(99);
    refused(
        update(&server, lower, &["budget_total_micros"]).await,
        Code::FailedPrecondition,
        "BUDGET_EXCEEDED",
    );
}

#[tokio::test]
async fn given_an_approved_campaign_when_it_would_move_or_get_more_then_it_is_refused() {
    let server = Server::alone().await;
    let owner = advertiser(&server).await;
    let mut request = new_campaign(&owner.id);
    request.campaign.as_mut().unwrap().budget_total_micros = Some(100);
    let order = server.client.create_campaign(request).await;
    let order = order.unwrap().campaign.unwrap();
    line_item_of(&server, &order.id).await;
    let mut approved = approve(&server, order).await;

    approved.budget_total_micros = Some(101);
    let raised = update(&server, approved.clone(), &["budget_total_micros"]).await;
    assert_eq!(faulty(raised), ["campaign.budget_total_micros"]);
    approved.start_time = at(1);
    let moved = update(&server, approved.clone(), &["start_time"]).await;
    assert_eq!(faulty(moved), ["campaign.start_time"]);
    approved.end_time = at(0);
    let emptied = update(&server, approved.clone(), &["end_time"]).await;
    assert_eq!(faulty(emptied), ["campaign.end_time"]);
    approved.budget_total_micros = Some(99);
    approved.po_number = "PO-7".to_owned();
    let lowered = update(&server, approved, &["budget_total_micros", "po_number"]).await;
    assert_eq!(lowered.unwrap().po_number, "PO-7");
}

#[tokio::test]
async fn given_a_campaign_when_canceled_then_it_is_archived_and_found_by_its_state() {
    let server = Server::alone().await;
    let draft = campaign(&server).await;
    let canceled = server
        .client
        .cancel_campaign(pb::CancelCampaignRequest {
            request_id: request_id(),
            id: draft.id.clone(),
            etag: draft.etag,
        })
        .await
        .unwrap()
        .campaign
        .unwrap();
    assert_eq!(canceled.state(), State::Canceled);
    let error = refused(
        server
            .client
            .create_line_item(new_line_item(&canceled.id))
            .await,
        Code::FailedPrecondition,
        "PARENT_NOT_READY",
    );
    assert_eq!(error.metadata["state"], "CANCELED");
    let archived = server
        .client
        .archive_campaign(pb::ArchiveCampaignRequest {
            request_id: request_id(),
            id: draft.id.clone(),
            etag: canceled.etag,
        })
        .await
        .unwrap()
        .campaign
        .unwrap();
    let listed = server
        .client
        .list_campaigns(pb::ListCampaignsRequest {
            advertiser_id: archived.advertiser_id.clone(),
            states: vec![State::Archived.into()],
            ..Default::default()
        })
        .await
        .unwrap();
    assert_eq!(listed.campaigns, std::slice::from_ref(&archived));
    let read = server
        .client
        .get_campaign(pb::GetCampaignRequest { id: draft.id });
    assert_eq!(read.await.unwrap().campaign.unwrap(), archived);
}

#[tokio::test]
async fn given_an_account_at_stop_when_something_is_ordered_then_it_is_refused() {
    let server = Server::start().await;
    let owner = active_advertiser(&server, 1_000_000).await;
    server
        .billing()
        .set_standing(&owner.id, Some(AccountStanding::Stop));
    let error = until("a refusal", async || {
        let answer = server.client.create_campaign(new_campaign(&owner.id)).await;
        answer.err()
    })
    .await;
    let error = refused::<()>(Err(error), Code::FailedPrecondition, "ACCOUNT_STANDING");
    assert_eq!(error.metadata["standing"], "STOP");
}

#[tokio::test]
async fn given_an_external_reference_when_taken_then_it_is_refused_for_that_advertiser_only() {
    let server = Server::alone().await;
    let owner = advertiser(&server).await;
    let other = advertiser(&server).await;
    let named = |id: &str| {
        let mut request = new_campaign(id);
        request.campaign.as_mut().unwrap().external_ref = "916".to_owned();
        server.client.create_campaign(request)
    };
    named(&owner.id).await.unwrap();
    refused(
        named(&owner.id).await,
        Code::AlreadyExists,
        "RESOURCE_EXISTS",
    );
    named(&other.id).await.unwrap();
}
