//! Billing under test: how it is started, and the accounts that it is asked about.

use anyhow::{Context, Result};
use cleave_contracts::billing::v1 as pb;
use cleave_contracts::types::v1 as types;
use cleave_kernel::{AdvertiserId, PublisherId};
use cleave_storage::Engine;
use futures::StreamExt;
use tonic::transport::Channel;
use uuid::Uuid;

use crate::load::IN_FLIGHT;
use crate::process::free_addr;
use crate::service::Service;
use crate::setup::Bench;

/// What every account is given: enough for any run.
const CREDIT_MICROS: i64 = 1_000_000_000_000_000;
/// The currency of every account.
pub(crate) const CURRENCY: &str = "EUR";

/// Starts the service on a fresh database of `engine`; `None` when that engine is not at hand.
///
/// # Errors
/// When it does not serve.
pub(crate) async fn start(bench: &Bench, engine: Engine) -> Result<Option<Service>> {
    start_beside(bench, engine, free_addr()?.to_string()).await
}

/// The same, with Operations at `operations`.
///
/// # Errors
/// When it does not serve.
pub(crate) async fn start_beside(
    bench: &Bench,
    engine: Engine,
    operations: String,
) -> Result<Option<Service>> {
    let peer = format!("peers.operations=http://{operations}");
    Service::start(bench, engine, &bench.billing, peer).await
}

/// Opens `count` advertisers' accounts with credit and answers their advertisers' ids.
///
/// # Errors
/// When one cannot be opened.
pub(crate) async fn open_accounts(connections: &[Channel], count: usize) -> Result<Vec<String>> {
    let open = |number: usize| {
        let request = pb::OpenAccountRequest {
            ops_ref: AdvertiserId::generate().to_string(),
            party: types::PartyKind::Advertiser.into(),
            mode: types::AccountMode::Postpaid.into(),
            credit_limit_micros: CREDIT_MICROS,
            net_days: 30,
            ..Default::default()
        };
        open(&connections[number % connections.len()], request)
    };
    let opened: Vec<_> = futures::stream::iter(0..count)
        .map(open)
        .buffer_unordered(IN_FLIGHT)
        .collect()
        .await;
    opened.into_iter().collect()
}

/// Opens a publisher's account and answers the publisher's id.
///
/// # Errors
/// When it cannot be opened.
pub(crate) async fn open_publisher(channel: &Channel) -> Result<String> {
    let request = pb::OpenAccountRequest {
        ops_ref: PublisherId::generate().to_string(),
        party: types::PartyKind::Publisher.into(),
        ..Default::default()
    };
    open(channel, request).await
}

async fn open(channel: &Channel, mut request: pb::OpenAccountRequest) -> Result<String> {
    request.request_id = Uuid::now_v7().to_string();
    request.currency_code = CURRENCY.to_owned();
    request.display_name = "Benchmark".to_owned();
    let ops_ref = request.ops_ref.clone();
    let mut client = pb::account_service_client::AccountServiceClient::new(channel.clone());
    client
        .open_account(request)
        .await
        .context("opening an account")?;
    Ok(ops_ref)
}
