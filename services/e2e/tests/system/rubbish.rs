//! What no honest client sends: a precise status, nothing changed, nobody dead.

use crate::started;
use anyhow::{Context, Result};
use billing_client::{BillingClient, pb as billing, types};
use bytes::Bytes;
use cleave_e2e::Engine;
use cleave_e2e::network::{self, Network, Plan, clicks_row, money, request_id};
use cleave_mesh::CallError;
use futures::stream;
use http::HeaderValue;
use http_body_util::{BodyExt, Full};
use hyper_util::rt::{TokioExecutor, TokioIo};
use operations_client::{OperationsClient, pb as operations};
use std::net::SocketAddr;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tonic::Code;

const GET_ACCOUNT: &str = "/cleave.billing.v1.AccountService/GetAccount";
const GET_CAMPAIGN: &str = "/cleave.operations.v1.CampaignService/GetCampaign";

#[tokio::test(flavor = "multi_thread")]
async fn given_bad_fields_when_called_then_each_is_named_and_nothing_changes() -> Result<()> {
    let pair = started(Engine::Sqlite)
        .await?
        .context("SQLite is always at hand")?;
    let (operations, billing) = (pair.operations_client()?, pair.billing_client()?);
    let network = network::build(&operations, &billing, &Plan::default()).await?;
    let before = posted(&billing, &network).await?;

    bad_ids(&operations, &billing).await;
    bad_payments(&billing, &network).await;
    bad_pages(&operations, &billing).await?;
    bad_enums(&operations, &billing).await;
    bad_rows(&operations, &network).await?;

    assert_eq!(posted(&billing, &network).await?, before);
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn given_a_used_request_id_when_the_payload_differs_then_it_is_refused() -> Result<()> {
    let pair = started(Engine::Sqlite)
        .await?
        .context("SQLite is always at hand")?;
    let (operations, billing) = (pair.operations_client()?, pair.billing_client()?);
    let network = network::build(&operations, &billing, &Plan::default()).await?;
    let first = payment(&network, 5_000_000);
    billing.record_payment(first.clone()).await?;
    let before = posted(&billing, &network).await?;

    let other = billing::RecordPaymentRequest {
        amount: Some(money(6_000_000)),
        ..first.clone()
    };
    let refused = billing
        .record_payment(other)
        .await
        .expect_err("another payload");
    assert_eq!(refused.code, Code::FailedPrecondition);
    assert!(refused.is_reason("REQUEST_MISMATCH"), "{refused:?}");

    let again = billing.record_payment(first.clone()).await?;
    assert_eq!(again, billing.record_payment(first).await?);
    assert_eq!(posted(&billing, &network).await?, before);
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn given_sums_beyond_64_bits_when_posted_then_they_are_refused() -> Result<()> {
    let pair = started(Engine::Sqlite)
        .await?
        .context("SQLite is always at hand")?;
    let (operations, billing) = (pair.operations_client()?, pair.billing_client()?);
    let network = network::build(&operations, &billing, &Plan::default()).await?;
    billing
        .record_payment(payment(&network, i64::MAX / 2))
        .await?;
    let before = posted(&billing, &network).await?;

    let refused = billing
        .record_payment(payment(&network, i64::MAX))
        .await
        .expect_err("too much");
    assert_eq!(refused.code, Code::FailedPrecondition);
    assert!(refused.is_reason("AMOUNT_OVERFLOW"), "{refused:?}");
    assert_eq!(posted(&billing, &network).await?, before);
    network::verified(&billing).await
}

#[tokio::test(flavor = "multi_thread")]
async fn given_broken_frames_when_sent_then_the_call_fails_and_the_service_lives() -> Result<()> {
    let mut pair = started(Engine::Sqlite)
        .await?
        .context("SQLite is always at hand")?;
    for (process, path) in [
        (&mut pair.billing, GET_ACCOUNT),
        (&mut pair.operations, GET_CAMPAIGN),
    ] {
        broken_messages(process.addr(), path).await?;
        broken_metadata(process.addr(), path).await?;
        broken_connections(process.addr()).await?;
        process.serving().await?;
        assert!(
            !process.log_text().contains("panicked"),
            "{}",
            process.log_text()
        );
    }
    Ok(())
}

async fn bad_ids(operations: &OperationsClient, billing: &BillingClient) {
    for id in [
        "",
        "camp_",
        "adv_01h455vb4pex5vsknk084sn02q",
        "camp_01h455vb4pex5vsknk084sn02!",
        &"x".repeat(10_000),
    ] {
        let request = operations::GetCampaignRequest { id: id.to_owned() };
        refuses_field(operations.get_campaign(request).await, "id");
        let request = billing::GetReservationRequest {
            reservation_id: id.to_owned(),
        };
        refuses_field(billing.get_reservation(request).await, "reservation_id");
    }
}

async fn bad_payments(billing: &BillingClient, network: &Network) {
    for micros in [0, -1, i64::MIN] {
        refuses_field(
            billing.record_payment(payment(network, micros)).await,
            "amount.micros",
        );
    }
    let mut request = payment(network, 1);
    request.amount = Some(types::Money {
        currency_code: "rupees".to_owned(),
        micros: 1,
    });
    refuses_field(
        billing.record_payment(request).await,
        "amount.currency_code",
    );
    let mut request = payment(network, 1);
    request.request_id = "again".to_owned();
    refuses_field(billing.record_payment(request).await, "request_id");
    let mut request = payment(network, 1);
    request.amount = Some(types::Money {
        currency_code: "USD".to_owned(),
        micros: 1,
    });
    let refused = billing
        .record_payment(request)
        .await
        .expect_err("another currency");
    assert!(refused.is_reason("CURRENCY_MISMATCH"), "{refused:?}");
}

async fn bad_pages(operations: &OperationsClient, billing: &BillingClient) -> Result<()> {
    let request = operations::ListCampaignsRequest {
        page_size: -1,
        ..Default::default()
    };
    refuses_field(operations.list_campaigns(request).await, "page_size");
    let request = billing::ListTransfersRequest {
        page_token: "rubbish".to_owned(),
        ..Default::default()
    };
    refuses_field(billing.list_transfers(request).await, "page_token");
    // Above the most it is clamped.
    let request = billing::ListAccountsRequest {
        page_size: i32::MAX,
        ..Default::default()
    };
    billing.list_accounts(request).await?;
    Ok(())
}

async fn bad_enums(operations: &OperationsClient, billing: &BillingClient) {
    let request = billing::OpenAccountRequest {
        request_id: request_id(),
        ops_ref: "adv_01h455vb4pex5vsknk084sn02q".to_owned(),
        party: 99,
        display_name: "X".to_owned(),
        currency_code: network::CURRENCY.to_owned(),
        mode: types::AccountMode::Prepaid.into(),
        ..Default::default()
    };
    refuses_field(billing.open_account(request).await, "party");
    let request = operations::ListAdvertisersRequest {
        states: vec![77],
        ..Default::default()
    };
    refuses_field(operations.list_advertisers(request).await, "states[0]");
}

/// Rows are judged one by one: the good one of a batch is taken, the bad ones are told apart.
async fn bad_rows(operations: &OperationsClient, network: &Network) -> Result<()> {
    use operations::row_rejection::Reason;
    let mut negative = clicks_row(network, 0, -1, 1, 1);
    negative.counts = Some(operations::DeliveryCounts {
        clicks: -5,
        ..Default::default()
    });
    let mut unknown = clicks_row(network, 0, -2, 1, 1);
    if let Some(key) = unknown.key.as_mut() {
        key.line_item_id = "line_01h455vb4pex5vsknk084sn02q".to_owned();
    }
    let message = operations::ReportDeliveryRequest {
        source: network::SOURCE.to_owned(),
        rows: vec![negative, unknown],
        ..Default::default()
    };
    let reply = operations.report_delivery(stream::iter([message])).await?;
    assert_eq!((reply.inserted_count, reply.rejected_count), (0, 2));
    let reasons: Vec<_> = reply
        .rejections
        .iter()
        .map(operations::RowRejection::reason)
        .collect();
    assert_eq!(reasons, [Reason::InvalidCounts, Reason::UnknownLineItem]);
    Ok(())
}

async fn broken_messages(addr: SocketAddr, path: &str) -> Result<()> {
    let oversized = [&[0][..], &5_000_000_u32.to_be_bytes(), &vec![0; 5_000_000]].concat();
    let cases: [(&str, Vec<u8>, &[Code]); 5] = [
        (
            "a length that promises more",
            [&[0, 0, 0, 0, 100][..], b"short"].concat(),
            &[Code::InvalidArgument, Code::Internal],
        ),
        (
            "bytes that are no message",
            vec![0, 0, 0, 0, 3, 0xff, 0xff, 0xff],
            &[Code::InvalidArgument, Code::Internal],
        ),
        (
            "an unknown compression flag",
            vec![7, 0, 0, 0, 0],
            &[Code::InvalidArgument, Code::Internal, Code::Unimplemented],
        ),
        (
            "no message at all",
            Vec::new(),
            &[Code::InvalidArgument, Code::Internal],
        ),
        (
            "more than 4 MiB",
            oversized,
            &[Code::ResourceExhausted, Code::OutOfRange],
        ),
    ];
    for (case, body, wanted) in cases {
        let (code, message) = raw_call(addr, path, Bytes::from(body), None).await?;
        assert!(wanted.contains(&code), "{case}: {code:?} {message}");
        assert!(!message.is_empty(), "{case}: no message");
    }
    Ok(())
}

async fn broken_metadata(addr: SocketAddr, path: &str) -> Result<()> {
    let empty = Bytes::from_static(&[0, 0, 0, 0, 0]);
    for (name, value) in [
        ("cleave-hops", &b"\xff\xfe"[..]),
        ("traceparent", b"\xff-00"),
        ("grpc-timeout", b"soon"),
        ("grpc-timeout", b"99999999999999H"),
    ] {
        let header = (name, HeaderValue::from_bytes(value)?);
        let (code, message) = raw_call(addr, path, empty.clone(), Some(header)).await?;
        // An empty request names no account or campaign: whatever the metadata, that is what is wrong with it.
        assert_eq!(code, Code::InvalidArgument, "{name}: {message}");
    }
    Ok(())
}

async fn broken_connections(addr: SocketAddr) -> Result<()> {
    for bytes in [
        &b"GET / HTTP/1.1\r\n\r\n"[..],
        b"\x16\x03\x01\x02\x00\x01\x00",
        b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\xff\xff\xff\xff\xff\xff\xff\xff\xff",
        b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\x00\x00\x40\x01\x05\x00\x00\x00\x01trunc",
    ] {
        let mut socket = TcpStream::connect(addr).await?;
        socket.write_all(bytes).await?;
        socket.shutdown().await?;
        // The service closes in its turn, with or without a farewell.
        let mut farewell = Vec::new();
        let _ = socket.read_to_end(&mut farewell).await;
    }
    Ok(())
}

/// One call, byte for byte, on a connection of its own: the status it ended with.
async fn raw_call(
    addr: SocketAddr,
    path: &str,
    body: Bytes,
    header: Option<(&str, HeaderValue)>,
) -> Result<(Code, String)> {
    let socket = TokioIo::new(TcpStream::connect(addr).await?);
    let (mut sender, connection) =
        hyper::client::conn::http2::handshake(TokioExecutor::new(), socket).await?;
    let driver = tokio::spawn(connection);
    let mut request = http::Request::post(format!("http://{addr}{path}"))
        .header("content-type", "application/grpc")
        .header("te", "trailers");
    if let Some((name, value)) = header {
        request = request.header(name, value);
    }
    let response = sender.send_request(request.body(Full::new(body))?).await?;
    let headers = response.headers().clone();
    let trailers = response.into_body().collect().await?.trailers().cloned();
    driver.abort();
    let status = tonic::Status::from_header_map(&headers)
        .or_else(|| trailers.as_ref().and_then(tonic::Status::from_header_map))
        .context("a call ends with a status")?;
    Ok((status.code(), status.message().to_owned()))
}

fn payment(network: &Network, micros: i64) -> billing::RecordPaymentRequest {
    let request_id = request_id();
    billing::RecordPaymentRequest {
        external_ref: request_id.clone(),
        request_id,
        account_id: network.account_id.clone(),
        amount: Some(money(micros)),
        ..Default::default()
    }
}

/// The posted sums of every ledger account of the advertiser. What is held moves with the leases.
async fn posted(billing: &BillingClient, network: &Network) -> Result<Vec<(i64, i64)>> {
    let owner = billing::get_balances_request::Owner::AccountId(network.account_id.clone());
    let request = billing::GetBalancesRequest { owner: Some(owner) };
    let balances = billing.get_balances(request).await?.balances;
    Ok(balances
        .iter()
        .map(|found| (found.debits_posted_micros, found.credits_posted_micros))
        .collect())
}

#[track_caller]
fn refuses_field<T: std::fmt::Debug>(reply: Result<T, CallError>, field: &str) {
    let refused = reply.expect_err("a bad field");
    assert_eq!(refused.code, Code::InvalidArgument, "{refused:?}");
    assert!(
        refused.violations.iter().any(|found| found.field == field),
        "{field}: {refused:?}"
    );
}
