//! Accounts: opening, terms, standing, closing.

use crate::server::{
    Server, eventually, fields, inr, opening, order, payment, refused, request_id,
};
use billing_client::pb;
use billing_client::types::{AccountMode, AccountStanding, PartyKind};
use cleave_kernel::{AdvertiserId, Clock};
use cleave_storage::testing::TestDatabase;
use pb::StandingReason;
use std::time::Duration;
use tonic::Code;

fn postpaid(ops_ref: &str, limit: i64) -> pb::OpenAccountRequest {
    pb::OpenAccountRequest {
        mode: AccountMode::Postpaid.into(),
        credit_limit_micros: limit,
        net_days: 30,
        ..opening(ops_ref)
    }
}

fn terms(account: &pb::BillingAccount, limit: Option<i64>) -> pb::UpdateCreditTermsRequest {
    pb::UpdateCreditTermsRequest {
        request_id: request_id(),
        account_id: account.id.clone(),
        etag: account.etag.clone(),
        credit_limit_micros: limit,
        net_days: None,
    }
}

fn blocking(server: &Server, account: &pb::BillingAccount) -> pb::OverrideStandingRequest {
    let end = server.clock.now().plus(Duration::from_secs(60));
    pb::OverrideStandingRequest {
        request_id: request_id(),
        account_id: account.id.clone(),
        etag: account.etag.clone(),
        standing: AccountStanding::Blocked.into(),
        reason: "a payment was returned".to_owned(),
        actor: "finance@example.com".to_owned(),
        end_time: Some(prost_types::Timestamp {
            seconds: end.micros() / 1_000_000,
            nanos: 0,
        }),
    }
}

fn closing(account: &pb::BillingAccount) -> pb::CloseAccountRequest {
    pb::CloseAccountRequest {
        request_id: request_id(),
        account_id: account.id.clone(),
        etag: account.etag.clone(),
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn given_an_opened_account_when_read_by_either_key_then_it_is_the_same() {
    let server = Server::start().await;
    let owner = AdvertiserId::generate().to_string();
    let opened = server.open(postpaid(&owner, 5_000)).await;
    assert_eq!(opened.state(), pb::billing_account::State::Open);
    assert_eq!(opened.party(), PartyKind::Advertiser);
    assert_eq!((opened.credit_limit_micros, opened.net_days), (5_000, 30));

    let key = Some(pb::get_account_request::Key::OpsRef(owner));
    let request = pb::GetAccountRequest { key };
    let by_owner = server.client.get_account(request).await.unwrap();
    assert_eq!(by_owner.account, Some(opened.clone()));
    assert_eq!(server.account(&opened.id).await, opened);
    assert_eq!(by_owner.standing.unwrap().available_micros, 5_000);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn given_no_account_when_asked_for_then_not_found_names_it() {
    let server = Server::start().await;
    let owner = AdvertiserId::generate().to_string();
    let key = Some(pb::get_account_request::Key::OpsRef(owner.clone()));
    let answer = server
        .client
        .get_account(pb::GetAccountRequest { key })
        .await;
    let error = refused(answer, Code::NotFound, "ACCOUNT_NOT_FOUND");
    assert_eq!(error.metadata["account"], owner);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn given_a_prepaid_account_when_credit_is_asked_then_it_is_refused() {
    let server = Server::start().await;
    let account = server.advertiser(0).await;
    let answer = server
        .client
        .update_credit_terms(terms(&account, Some(1)))
        .await;
    let error = refused(answer, Code::FailedPrecondition, "CREDIT_NOT_ALLOWED");
    assert_eq!(error.metadata["mode"], "PREPAID");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn given_credit_in_use_when_the_limit_goes_below_then_it_is_refused() {
    let server = Server::start().await;
    let owner = AdvertiserId::generate().to_string();
    let account = server.open(postpaid(&owner, 5_000)).await;
    server
        .client
        .reserve_budget(order(&account, 4_000))
        .await
        .unwrap();

    let answer = server
        .client
        .update_credit_terms(terms(&account, Some(3_999)))
        .await;
    let error = refused(answer, Code::FailedPrecondition, "CREDIT_LIMIT_BELOW_USE");
    assert_eq!(error.metadata["used_micros"], "4000");

    let answer = server
        .client
        .update_credit_terms(terms(&account, Some(4_000)))
        .await;
    let changed = answer.unwrap().account.unwrap();
    assert_eq!(changed.credit_limit_micros, 4_000);
    assert_eq!(server.standing(&account.id).await.available_micros, 0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn given_a_stale_etag_when_editing_then_the_current_one_is_told() {
    let server = Server::start().await;
    let owner = AdvertiserId::generate().to_string();
    let account = server.open(postpaid(&owner, 5_000)).await;
    let request = terms(&account, Some(6_000));
    let changed = server
        .client
        .update_credit_terms(request.clone())
        .await
        .unwrap();

    let answer = server
        .client
        .update_credit_terms(terms(&account, Some(7_000)))
        .await;
    let error = refused(answer, Code::Aborted, "STALE_ETAG");
    assert_eq!(
        error.metadata["etag"],
        changed.account.as_ref().unwrap().etag
    );

    // The same request again is the same change, whatever the etag is by now.
    let again = server.client.update_credit_terms(request).await.unwrap();
    assert_eq!(again, changed);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn given_an_override_when_its_time_passes_then_it_ends_by_itself() {
    let server = Server::start().await;
    let account = server.advertiser(1_000).await;
    let request = blocking(&server, &account);
    let blocked = server.client.override_standing(request).await.unwrap();
    let blocked = blocked.account.unwrap();
    assert_eq!(blocked.standing(), AccountStanding::Blocked);
    assert_eq!(
        blocked.standing_override.unwrap().actor,
        "finance@example.com"
    );
    let info = server.standing(&account.id).await;
    assert_eq!(
        info.reasons().collect::<Vec<_>>(),
        [StandingReason::Override]
    );

    let answer = server.client.reserve_budget(order(&account, 10)).await;
    let error = refused(answer, Code::FailedPrecondition, "ACCOUNT_BLOCKED");
    assert_eq!(error.metadata["account_id"], account.id);

    server.clock.advance(Duration::from_secs(60));
    assert_eq!(
        server.standing(&account.id).await.standing(),
        AccountStanding::Active
    );
    let cleared = |account: &pb::BillingAccount| account.standing_override.is_none();
    eventually(
        "the override is gone",
        || server.account(&account.id),
        cleared,
    )
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn given_an_override_that_has_ended_when_repeated_then_its_first_answer_comes_again() {
    for database in TestDatabase::each_engine().await {
        let server = Server::over(database).await;
        let account = server.advertiser(1_000).await;
        let request = blocking(&server, &account);
        let first = server.client.override_standing(request.clone()).await;
        server.clock.advance(Duration::from_secs(61));
        let again = server.client.override_standing(request.clone()).await;
        assert_eq!(again.unwrap(), first.unwrap());

        let late = pb::OverrideStandingRequest {
            request_id: request_id(),
            etag: server.account(&account.id).await.etag,
            ..request
        };
        let answer = server.client.override_standing(late).await;
        let error = refused(answer, Code::InvalidArgument, "INVALID_REQUEST");
        assert_eq!(fields(&error), ["end_time"]);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn given_an_override_when_cleared_then_it_is_over_and_cannot_be_cleared_twice() {
    let server = Server::start().await;
    let account = server.advertiser(1_000).await;
    let request = blocking(&server, &account);
    let blocked = server.client.override_standing(request).await.unwrap();
    let clear = |etag: String| pb::ClearStandingOverrideRequest {
        request_id: request_id(),
        account_id: account.id.clone(),
        etag,
    };
    let request = clear(blocked.account.unwrap().etag);
    let cleared = server
        .client
        .clear_standing_override(request)
        .await
        .unwrap();
    let cleared = cleared.account.unwrap();
    assert_eq!(cleared.standing(), AccountStanding::Active);

    let answer = server
        .client
        .clear_standing_override(clear(cleared.etag))
        .await;
    refused(answer, Code::FailedPrecondition, "STANDING_NOT_OVERRIDDEN");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn given_money_in_an_account_when_closed_then_refused_until_it_is_empty() {
    let server = Server::start().await;
    let account = server.advertiser(1_000).await;
    let answer = server.client.close_account(closing(&account)).await;
    let error = refused(answer, Code::FailedPrecondition, "ACCOUNT_NOT_EMPTY");
    assert_eq!(error.metadata["balance_micros"], "1000");

    let refund = pb::PostAdjustmentRequest {
        request_id: request_id(),
        account_id: account.id.clone(),
        kind: pb::adjustment::Kind::Discrepancy.into(),
        direction: pb::adjustment::Direction::Debit.into(),
        amount: inr(1_000),
        reason: "paid back".to_owned(),
        actor: "finance@example.com".to_owned(),
    };
    server.client.post_adjustment(refund).await.unwrap();
    let closed = server
        .client
        .close_account(closing(&account))
        .await
        .unwrap();
    let closed = closed.account.unwrap();
    assert_eq!(closed.state(), pb::billing_account::State::Closed);
    assert!(closed.close_time.is_some());

    let answer = server.client.record_payment(payment(&account.id, 1)).await;
    refused(answer, Code::FailedPrecondition, "ACCOUNT_CLOSED");
    let info = server.standing(&account.id).await;
    assert_eq!(
        info.reasons().collect::<Vec<_>>(),
        [StandingReason::NotOpen]
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn given_many_accounts_when_listed_in_pages_then_each_comes_once() {
    let server = Server::start().await;
    let mut opened = Vec::new();
    for _ in 0..5 {
        opened.push(server.advertiser(0).await.id);
    }
    server.publisher().await;
    let mut request = pb::ListAccountsRequest {
        page_size: 2,
        party: PartyKind::Advertiser.into(),
        ..pb::ListAccountsRequest::default()
    };
    let mut listed = Vec::new();
    loop {
        let page = server.client.list_accounts(request.clone()).await.unwrap();
        assert!(page.accounts.len() <= 2);
        listed.extend(page.accounts.into_iter().map(|account| account.id));
        if page.next_page_token.is_empty() {
            break;
        }
        request.page_token = page.next_page_token;
    }
    opened.sort();
    listed.sort();
    assert_eq!(listed, opened);

    request.party = PartyKind::Publisher.into();
    request.page_token = String::new();
    request.page_size = 1;
    let publishers = server.client.list_accounts(request.clone()).await.unwrap();
    assert_eq!(publishers.accounts.len(), 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn given_parties_with_and_without_accounts_when_asked_at_once_then_both_are_told() {
    let server = Server::start().await;
    let account = server.advertiser(700).await;
    let publisher = server.publisher().await;
    let stranger = AdvertiserId::generate().to_string();
    let request = pb::BatchGetAccountStandingRequest {
        ops_refs: vec![
            publisher.ops_ref.clone(),
            stranger.clone(),
            account.ops_ref.clone(),
        ],
    };
    let answer = server
        .client
        .batch_get_account_standing(request)
        .await
        .unwrap()
        .value;
    let found: Vec<_> = answer.standings.iter().map(|s| s.ops_ref.clone()).collect();
    assert_eq!(found, [publisher.ops_ref, account.ops_ref]);
    assert_eq!(answer.missing_ops_refs, [stranger]);
    assert_eq!(answer.standings[1].available_micros, 700);
    assert!(answer.revision > 0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn given_money_that_came_meanwhile_when_an_opening_is_repeated_then_the_answer_is_the_first()
{
    let server = Server::start().await;
    let request = opening(&AdvertiserId::generate().to_string());
    let first = server.client.open_account(request.clone()).await.unwrap();
    let account = first.account.as_ref().unwrap();
    assert_eq!(account.standing(), AccountStanding::OnHold);
    server
        .client
        .record_payment(payment(&account.id, 1_000))
        .await
        .unwrap();
    let again = server.client.open_account(request).await.unwrap();
    assert_eq!(again, first);
    assert_eq!(
        server.account(&account.id).await.standing(),
        AccountStanding::Active
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn given_an_account_when_opened_on_other_terms_then_the_one_there_is_told() {
    let server = Server::start().await;
    let owner = AdvertiserId::generate().to_string();
    let account = server.open(opening(&owner)).await;
    let same = server.open(opening(&owner)).await;
    assert_eq!(same.id, account.id);
    let dollars = pb::OpenAccountRequest {
        currency_code: "USD".to_owned(),
        ..opening(&owner)
    };
    let error = refused(
        server.client.open_account(dollars).await,
        Code::AlreadyExists,
        "ACCOUNT_ALREADY_EXISTS",
    );
    assert_eq!(error.metadata["account_id"], account.id);
    assert_eq!(error.metadata["currency_code"], "INR");
    assert_eq!(error.metadata["mode"], "PREPAID");
}
