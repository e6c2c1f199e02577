//! What can never be accepted: each fault is named by its field, and nothing changes.

use crate::server::{Server, fields, inr, opening, order, payment, refused};
use billing_client::pb;
use billing_client::types::Money;
use cleave_kernel::{AdvertiserId, CampaignId};
use tonic::Code;

const INVALID: (Code, &str) = (Code::InvalidArgument, "INVALID_REQUEST");

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn given_many_faults_when_opening_then_all_are_listed() {
    let server = Server::start().await;
    let request = pb::OpenAccountRequest {
        request_id: "not a uuid".to_owned(),
        ops_ref: CampaignId::generate().to_string(),
        party: 99,
        display_name: " ".to_owned(),
        currency_code: "inr".to_owned(),
        mode: -1,
        credit_limit_micros: -5,
        net_days: 366,
    };
    let error = refused(
        server.client.open_account(request).await,
        INVALID.0,
        INVALID.1,
    );
    assert_eq!(
        fields(&error),
        [
            "request_id",
            "ops_ref",
            "party",
            "display_name",
            "currency_code",
            "mode",
            "credit_limit_micros",
            "net_days"
        ]
    );
    assert_eq!(error.metadata["field"], "request_id");
    let request = pb::ListAccountsRequest::default();
    let listed = server.client.list_accounts(request).await.unwrap();
    assert!(listed.accounts.is_empty());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn given_contradictions_when_opening_then_they_are_told() {
    let server = Server::start().await;
    let owner = AdvertiserId::generate().to_string();
    let request = pb::OpenAccountRequest {
        party: billing_client::types::PartyKind::Publisher.into(),
        ..opening(&owner)
    };
    let error = refused(
        server.client.open_account(request).await,
        INVALID.0,
        INVALID.1,
    );
    assert_eq!(fields(&error), ["party"]);
    let request = pb::OpenAccountRequest {
        display_name: "x".repeat(201),
        ..opening(&owner)
    };
    let error = refused(
        server.client.open_account(request).await,
        INVALID.0,
        INVALID.1,
    );
    assert_eq!(fields(&error), ["display_name"]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn given_bad_money_when_paid_then_the_field_is_named() {
    let server = Server::start().await;
    let account = server.advertiser(0).await;
    let with = |amount: Option<Money>| pb::RecordPaymentRequest {
        amount,
        ..payment(&account.id, 1)
    };
    let unknown = Some(Money {
        currency_code: "ZZZ".to_owned(),
        micros: 1,
    });
    for (amount, field) in [
        (None, "amount"),
        (inr(0), "amount.micros"),
        (inr(-1), "amount.micros"),
        (inr(i64::MIN), "amount.micros"),
        (unknown, "amount.currency_code"),
    ] {
        let answer = server.client.record_payment(with(amount)).await;
        let error = refused(answer, INVALID.0, INVALID.1);
        assert_eq!(fields(&error), [field]);
    }
    assert_eq!(server.standing(&account.id).await.available_micros, 0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn given_a_bad_order_when_reserved_then_each_fault_is_named() {
    let server = Server::start().await;
    let account = server.advertiser(1_000).await;
    let request = pb::ReserveBudgetRequest {
        advertiser_id: account.id.clone(),
        line_item_id: String::new(),
        terms_version: 0,
        min_amount: inr(11),
        serve_for: crate::server::seconds(10),
        settle_for: crate::server::seconds(9),
        ..order(&account, 10)
    };
    let error = refused(
        server.client.reserve_budget(request).await,
        INVALID.0,
        INVALID.1,
    );
    assert_eq!(
        fields(&error),
        [
            "advertiser_id",
            "line_item_id",
            "min_amount.micros",
            "terms_version",
            "settle_for"
        ]
    );
    let backwards = pb::ReserveBudgetRequest {
        serve_for: crate::server::seconds(-1),
        settle_for: None,
        ..order(&account, 10)
    };
    let error = refused(
        server.client.reserve_budget(backwards).await,
        INVALID.0,
        INVALID.1,
    );
    assert_eq!(fields(&error), ["serve_for", "settle_for"]);
    assert_eq!(server.standing(&account.id).await.held_micros, 0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn given_bad_pages_when_listed_then_refused_and_large_ones_are_cut() {
    let server = Server::start().await;
    for _ in 0..2 {
        server.advertiser(0).await;
    }
    let list = |page_size: i32, page_token: &str, currency_code: &str| {
        let request = pb::ListAccountsRequest {
            page_size,
            page_token: page_token.to_owned(),
            currency_code: currency_code.to_owned(),
            ..pb::ListAccountsRequest::default()
        };
        let client = server.client.clone();
        async move { client.list_accounts(request).await }
    };
    let error = refused(list(-1, "", "").await, INVALID.0, INVALID.1);
    assert_eq!(fields(&error), ["page_size"]);
    let error = refused(list(1, "rubbish", "").await, INVALID.0, INVALID.1);
    assert_eq!(fields(&error), ["page_token"]);
    let token = list(1, "", "").await.unwrap().next_page_token;
    let error = refused(list(1, &token, "INR").await, INVALID.0, INVALID.1);
    assert_eq!(
        fields(&error),
        ["page_token"],
        "another filter, another list"
    );
    let all = list(i32::MAX, "", "").await.unwrap();
    assert_eq!((all.accounts.len(), all.next_page_token.as_str()), (2, ""));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn given_too_many_parties_when_asked_at_once_then_refused() {
    let server = Server::start().await;
    let ask = |ops_refs: Vec<String>| {
        let client = server.client.clone();
        let request = pb::BatchGetAccountStandingRequest { ops_refs };
        async move { client.batch_get_account_standing(request).await }
    };
    let error = refused(ask(Vec::new()).await, INVALID.0, INVALID.1);
    assert_eq!(fields(&error), ["ops_refs"]);
    let many = vec![AdvertiserId::generate().to_string(); 1001];
    let error = refused(ask(many).await, INVALID.0, INVALID.1);
    assert_eq!(fields(&error), ["ops_refs"]);
    let odd = vec![AdvertiserId::generate().to_string(), "adv_x".to_owned()];
    let error = refused(ask(odd).await, INVALID.0, INVALID.1);
    assert_eq!(fields(&error), ["ops_refs[1]"]);
}
