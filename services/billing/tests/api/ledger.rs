//! The ledger: payments, adjustments, balances, transfers, and the proof.

use crate::server::{Server, inr, order, payment, refused, request_id};
use billing_client::pb;
use billing_client::types::Money;
use cleave_kernel::AccountId;
use futures::TryStreamExt;
use pb::LedgerCode;
use pb::get_balances_request::Owner;
use tonic::Code;

fn adjustment(
    account: &pb::BillingAccount,
    kind: pb::adjustment::Kind,
    direction: pb::adjustment::Direction,
    micros: i64,
) -> pb::PostAdjustmentRequest {
    pb::PostAdjustmentRequest {
        request_id: request_id(),
        account_id: account.id.clone(),
        kind: kind.into(),
        direction: direction.into(),
        amount: inr(micros),
        reason: "agreed by mail".to_owned(),
        actor: "finance@example.com".to_owned(),
    }
}

async fn balances(server: &Server, owner: Owner) -> pb::GetBalancesResponse {
    let request = pb::GetBalancesRequest { owner: Some(owner) };
    server.client.get_balances(request).await.unwrap()
}

fn of(balances: &pb::GetBalancesResponse, code: LedgerCode) -> i64 {
    let found = balances
        .balances
        .iter()
        .find(|b| b.account.as_ref().is_some_and(|a| a.code() == code));
    found.map_or(0, |balance| balance.balance_micros)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn given_a_payment_when_recorded_then_bank_and_balance_agree() {
    let server = Server::start().await;
    let account = server.advertiser(0).await;
    let request = payment(&account.id, 2_500_000);
    let recorded = server.client.record_payment(request.clone()).await.unwrap();
    assert_eq!(recorded.available, inr(2_500_000));
    assert_eq!(
        recorded.payment.as_ref().unwrap().external_ref,
        request.external_ref
    );
    server
        .client
        .reserve_budget(order(&account, 500_000))
        .await
        .unwrap();

    let own = balances(&server, Owner::OpsRef(account.ops_ref.clone())).await;
    assert_eq!(own.account_id, account.id);
    assert_eq!((own.balance_micros, own.held_micros), (2_500_000, 500_000));
    assert_eq!(own.available_micros, 2_000_000);
    assert_eq!(of(&own, LedgerCode::AdvertiserBalance), 2_500_000);
    let platform = balances(&server, Owner::PlatformCurrencyCode("INR".to_owned())).await;
    assert_eq!(of(&platform, LedgerCode::Bank), 2_500_000);
    assert_eq!(platform.revision, 2);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn given_a_payment_when_repeated_then_it_counts_once() {
    let server = Server::start().await;
    let account = server.advertiser(0).await;
    let request = payment(&account.id, 100);
    let first = server.client.record_payment(request.clone()).await.unwrap();
    server
        .client
        .record_payment(payment(&account.id, 50))
        .await
        .unwrap();
    let again = server.client.record_payment(request.clone()).await.unwrap();
    assert_eq!(again, first, "the first answer for ever, its balance too");

    let renamed = pb::RecordPaymentRequest {
        request_id: request_id(),
        ..request.clone()
    };
    let error = refused(
        server.client.record_payment(renamed).await,
        Code::AlreadyExists,
        "PAYMENT_ALREADY_RECORDED",
    );
    assert_eq!(error.metadata["payment_id"], first.payment.unwrap().id);

    let changed = pb::RecordPaymentRequest {
        amount: inr(101),
        ..request
    };
    let answer = server.client.record_payment(changed).await;
    refused(answer, Code::FailedPrecondition, "REQUEST_MISMATCH");
    assert_eq!(server.standing(&account.id).await.available_micros, 150);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn given_the_wrong_account_when_paid_then_each_reason_is_its_own() {
    let server = Server::start().await;
    let account = server.advertiser(0).await;
    let publisher = server.publisher().await;
    let dollars = pb::RecordPaymentRequest {
        amount: Some(Money {
            currency_code: "USD".to_owned(),
            micros: 1,
        }),
        ..payment(&account.id, 1)
    };
    let answer = server.client.record_payment(dollars).await;
    let error = refused(answer, Code::FailedPrecondition, "CURRENCY_MISMATCH");
    assert_eq!(error.metadata["account_currency_code"], "INR");
    let answer = server
        .client
        .record_payment(payment(&publisher.id, 1))
        .await;
    refused(answer, Code::FailedPrecondition, "WRONG_PARTY");
    let stranger = AccountId::generate().to_string();
    let answer = server.client.record_payment(payment(&stranger, 1)).await;
    refused(answer, Code::NotFound, "ACCOUNT_NOT_FOUND");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn given_sums_beyond_64_bits_when_paid_then_overflow_is_told_and_nothing_changes() {
    let server = Server::start().await;
    let account = server.advertiser(1).await;
    let answer = server
        .client
        .record_payment(payment(&account.id, i64::MAX))
        .await;
    refused(answer, Code::FailedPrecondition, "AMOUNT_OVERFLOW");
    assert_eq!(server.standing(&account.id).await.available_micros, 1);
    server.verified().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn given_adjustments_when_posted_then_they_move_what_they_say() {
    use pb::adjustment::{Direction, Kind};
    let server = Server::start().await;
    let account = server.advertiser(0).await;
    let publisher = server.publisher().await;
    let favour = adjustment(&account, Kind::Goodwill, Direction::Credit, 300);
    let posted = server.client.post_adjustment(favour.clone()).await.unwrap();
    assert_eq!(posted.adjustment.as_ref().unwrap().kind(), Kind::Goodwill);
    let again = server.client.post_adjustment(favour).await.unwrap();
    assert_eq!(again, posted);
    assert_eq!(server.standing(&account.id).await.available_micros, 300);

    let too_much = adjustment(&account, Kind::Discrepancy, Direction::Debit, 301);
    let error = refused(
        server.client.post_adjustment(too_much).await,
        Code::FailedPrecondition,
        "INSUFFICIENT_FUNDS",
    );
    assert_eq!(error.metadata["available_micros"], "300");

    let clawback = adjustment(&publisher, Kind::Clawback, Direction::Debit, 40);
    server.client.post_adjustment(clawback).await.unwrap();
    let owed = balances(&server, Owner::AccountId(publisher.id.clone())).await;
    assert_eq!(of(&owed, LedgerCode::ClawbackReceivable), 40);
    server.verified().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn given_transfers_when_listed_then_in_order_and_by_filter() {
    let server = Server::start().await;
    let account = server.advertiser(1_000).await;
    let other = server.advertiser(2_000).await;
    let held = server
        .client
        .reserve_budget(order(&account, 400))
        .await
        .unwrap();
    let reservation = held.reservation.unwrap();
    let request = pb::ListTransfersRequest {
        page_size: 1,
        ..pb::ListTransfersRequest::default()
    };
    let all: Vec<pb::Transfer> = server
        .client
        .list_all_transfers(request.clone())
        .try_collect()
        .await
        .unwrap();
    let seqs: Vec<_> = all.iter().map(|transfer| transfer.seq).collect();
    assert_eq!(seqs, [1, 2, 3]);
    assert_eq!(all[0].reason, "PAYMENT");
    assert_eq!(all[0].debit.as_ref().unwrap().code(), LedgerCode::Bank);
    assert_eq!(all[0].credit.as_ref().unwrap().account_id, account.id);
    assert_eq!(all[2].kind(), pb::transfer::Kind::Pending);

    let list = |request: pb::ListTransfersRequest| {
        let client = server.client.clone();
        async move { client.list_transfers(request).await.unwrap().transfers }
    };
    let by_source = list(pb::ListTransfersRequest {
        source_ref: reservation.id.clone(),
        ..request.clone()
    });
    assert_eq!(by_source.await, [all[2].clone()]);
    let by_account = list(pb::ListTransfersRequest {
        page_size: 10,
        account_id: other.id.clone(),
        ..request.clone()
    });
    assert_eq!(by_account.await, [all[1].clone()]);
    let by_group = list(pb::ListTransfersRequest {
        group_id: all[0].group_id.clone(),
        ..request.clone()
    });
    assert_eq!(by_group.await, [all[0].clone()]);
    let by_code = list(pb::ListTransfersRequest {
        page_size: 10,
        code: LedgerCode::DeliveryClearing.into(),
        ..request
    });
    assert_eq!(by_code.await, [all[2].clone()]);
    let summary = server.verified().await;
    assert_eq!((summary.transfer_count, summary.reservation_count), (3, 1));
}
