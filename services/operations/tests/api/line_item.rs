use std::time::Duration;

use billing_client::types::AccountStanding;
use operations_client::{CallError, pb};
use pb::line_item::State;
use pb::status_reason::Code as Why;
use tonic::Code;

use crate::make::{
    START, active_advertiser, approve, campaign, campaign_of, cpm, line_item, line_item_of,
    new_line_item,
};
use crate::server::{Server, faulty, mask, refused, request_id, until};

async fn enable(server: &Server, subject: &pb::LineItem) -> Result<pb::LineItem, CallError> {
    let request = pb::EnableLineItemRequest {
        request_id: request_id(),
        id: subject.id.clone(),
        etag: subject.etag.clone(),
    };
    let answer = server.client.enable_line_item(request).await?;
    Ok(answer.line_item.unwrap())
}

async fn now(server: &Server, id: &str) -> pb::LineItem {
    let request = pb::GetLineItemRequest { id: id.to_owned() };
    let answer = server.client.get_line_item(request).await;
    answer.unwrap().line_item.unwrap()
}

fn why(subject: &pb::LineItem) -> Vec<Why> {
    subject
        .status_reasons
        .iter()
        .map(pb::StatusReason::code)
        .collect()
}

/// Enables it as soon as Operations has heard of its account.
async fn enabled(server: &Server, subject: &pb::LineItem) -> pb::LineItem {
    until("an enabled line item", async || {
        enable(server, subject).await.ok()
    })
    .await
}

#[tokio::test]
async fn given_money_and_approval_when_enabled_then_it_delivers_on_a_lease() {
    let server = Server::start().await;
    let owner = active_advertiser(&server, 50_000_000).await;
    let order = campaign_of(&server, &owner.id).await;
    let draft = line_item_of(&server, &order.id).await;
    assert_eq!(draft.status(), pb::LineItemStatus::Draft);
    let wanted = enabled(&server, &draft).await;
    assert_eq!(wanted.status(), pb::LineItemStatus::Pending);
    assert_eq!(why(&wanted), [Why::CampaignNotApproved]);
    let order = pb::GetCampaignRequest { id: order.id };
    let order = server
        .client
        .get_campaign(order)
        .await
        .unwrap()
        .campaign
        .unwrap();

    approve(&server, order).await;

    until("delivery", async || {
        let item = now(&server, &draft.id).await;
        (item.status() == pb::LineItemStatus::Delivering).then_some(())
    })
    .await;
}

#[tokio::test]
async fn given_no_money_when_enabled_then_it_stops_and_says_why() {
    let server = Server::start().await;
    let owner = active_advertiser(&server, 20_000).await;
    let order = campaign_of(&server, &owner.id).await;
    let draft = line_item_of(&server, &order.id).await;
    approve(&server, order).await;
    enabled(&server, &draft).await;
    until("delivery", async || {
        let item = now(&server, &draft.id).await;
        (item.status() == pb::LineItemStatus::Delivering).then_some(())
    })
    .await;

    server
        .billing()
        .set_standing(&owner.id, Some(AccountStanding::Blocked));

    let held = until("a stop", async || {
        let item = now(&server, &draft.id).await;
        (item.status() == pb::LineItemStatus::AccountHold).then_some(item)
    })
    .await;
    assert_eq!(why(&held), [Why::AccountBlocked]);
}

#[tokio::test]
async fn given_a_standing_that_forbids_when_enabled_then_the_reason_is_told() {
    let server = Server::start().await;
    let owner = active_advertiser(&server, 50_000_000).await;
    let order = campaign_of(&server, &owner.id).await;
    let draft = line_item_of(&server, &order.id).await;
    server
        .billing()
        .set_standing(&owner.id, Some(AccountStanding::OnHold));
    until("the word of the standing", async || {
        let request = pb::ExplainLineItemRequest {
            id: draft.id.clone(),
        };
        let answer = server.client.explain_line_item(request).await.unwrap();
        let told = |step: &pb::ExplainStep| step.state == "ON_HOLD";
        answer.steps.iter().any(told).then_some(())
    })
    .await;
    let error = enable(&server, &draft).await.unwrap_err();
    assert!(error.is_reason("ACCOUNT_STANDING"), "{error:?}");
    assert_eq!(error.metadata["standing"], "ON_HOLD");
    assert_eq!(error.code, Code::FailedPrecondition);
}

#[tokio::test]
async fn given_billing_silent_for_long_when_enabled_then_nothing_new_is_activated() {
    let server = Server::start().await;
    let owner = active_advertiser(&server, 50_000_000).await;
    let order = campaign_of(&server, &owner.id).await;
    let first = line_item_of(&server, &order.id).await;
    let second = line_item_of(&server, &order.id).await;
    enabled(&server, &first).await;
    server.billing().server().go_down().await;

    server.clock.advance(Duration::from_secs(16 * 60));

    let error = refused(
        enable(&server, &second).await,
        Code::FailedPrecondition,
        "STANDING_STALE",
    );
    assert_eq!(error.metadata["advertiser_id"], owner.id);
    assert!(error.metadata["age_seconds"].parse::<u64>().unwrap() >= 900);
}

#[tokio::test]
async fn given_no_terms_or_no_account_when_enabled_then_it_is_refused() {
    let server = Server::alone().await;
    let order = campaign(&server).await;
    let mut bare = new_line_item(&order.id);
    bare.terms = None;
    let bare = server.client.create_line_item(bare).await.unwrap();
    assert!(bare.terms.is_none());
    let bare = bare.line_item.unwrap();
    assert_eq!(bare.terms_version, 0);
    refused(
        enable(&server, &bare).await,
        Code::FailedPrecondition,
        "TERMS_MISSING",
    );
    let waiting = line_item_of(&server, &order.id).await;
    let error = refused(
        enable(&server, &waiting).await,
        Code::FailedPrecondition,
        "BILLING_ACCOUNT_PENDING",
    );
    assert_eq!(error.metadata["resource_id"], order.advertiser_id);
}

#[tokio::test]
async fn given_each_verb_when_called_then_the_state_follows() {
    let server = Server::start().await;
    let owner = active_advertiser(&server, 50_000_000).await;
    let order = campaign_of(&server, &owner.id).await;
    let draft = line_item_of(&server, &order.id).await;
    let running = enabled(&server, &draft).await;
    let paused = server
        .client
        .pause_line_item(pb::PauseLineItemRequest {
            request_id: request_id(),
            id: running.id.clone(),
            etag: running.etag,
        })
        .await
        .unwrap()
        .line_item
        .unwrap();
    assert_eq!(paused.status(), pb::LineItemStatus::Paused);
    let again = enable(&server, &paused).await.unwrap();
    let removed = server
        .client
        .remove_line_item(pb::RemoveLineItemRequest {
            request_id: request_id(),
            id: again.id,
            etag: again.etag,
        })
        .await
        .unwrap()
        .line_item
        .unwrap();
    assert_eq!(removed.state(), State::Removed);
    assert_eq!(why(&removed), [Why::LineItemRemoved]);
    let error = refused(
        enable(&server, &removed).await,
        Code::FailedPrecondition,
        "STATE_NOT_ALLOWED",
    );
    assert_eq!(error.metadata["action"], "be enabled");
}

#[tokio::test]
async fn given_values_that_do_not_fit_when_updated_then_they_are_refused_and_others_taken() {
    let server = Server::alone().await;
    let mut subject = line_item(&server).await;
    assert_eq!(subject.priority, 8);
    assert_eq!(subject.pacing(), pb::Pacing::Even);
    let update = |line_item: pb::LineItem, paths: &[&str]| {
        server.client.update_line_item(pb::UpdateLineItemRequest {
            request_id: request_id(),
            line_item: Some(line_item),
            update_mask: mask(paths),
        })
    };
    subject.daily_cap_micros = Some(0);
    let fields = faulty(update(subject.clone(), &["daily_cap_micros"]).await);
    assert_eq!(fields, ["line_item.daily_cap_micros"]);
    subject.start_time = Some(prost_types::Timestamp {
        seconds: START.seconds - 1,
        nanos: 0,
    });
    let fields = faulty(update(subject.clone(), &["start_time"]).await);
    assert_eq!(fields, ["line_item.start_time"]);
    subject.goal_count = Some(1000);
    subject.priority = 16;
    subject.pacing = pb::Pacing::Asap.into();
    let paths = ["goal_count", "priority", "pacing"];
    let changed = update(subject.clone(), &paths)
        .await
        .unwrap()
        .line_item
        .unwrap();
    assert_eq!(changed.goal_count, Some(1000));
    assert_eq!((changed.priority, changed.pacing()), (16, pb::Pacing::Asap));
    assert_eq!(changed.daily_cap_micros, None);
    let error = update(subject, &paths).await;
    refused(error, Code::Aborted, "ETAG_MISMATCH");
}

#[tokio::test]
async fn given_a_request_sent_again_when_done_then_the_line_item_is_made_once() {
    let server = Server::alone().await;
    let order = campaign(&server).await;
    let request = new_line_item(&order.id);
    let first = server
        .client
        .create_line_item(request.clone())
        .await
        .unwrap();
    let again = server
        .client
        .create_line_item(request.clone())
        .await
        .unwrap();
    assert_eq!(first, again);
    let mut other = request;
    other.terms = Some(pb::LineItemTerms {
        rate_micros: 1,
        ..cpm()
    });
    refused(
        server.client.create_line_item(other).await,
        Code::FailedPrecondition,
        "REQUEST_MISMATCH",
    );
    let listed = server
        .client
        .list_line_items(pb::ListLineItemsRequest {
            campaign_id: order.id,
            advertiser_id: order.advertiser_id,
            states: vec![State::Draft.into()],
            ..Default::default()
        })
        .await
        .unwrap();
    assert_eq!(listed.line_items, [first.line_item.unwrap()]);
}
