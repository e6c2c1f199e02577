//! ReserveBudget at 64 calls in flight, beside its statements issued bare.

use std::time::Duration;

use anyhow::{Context, Result};
use cleave_contracts::billing::v1 as pb;
use cleave_contracts::types::v1::Money;
use cleave_kernel::LineItemId;
use cleave_storage::Engine;
use tonic::transport::Channel;
use uuid::Uuid;

use crate::bare::Bare;
use crate::billing::{self, CURRENCY};
use crate::load::{self, Outcome};
use crate::report::{Latency, Measure, Round, Title};
use crate::service::engine_name;
use crate::setup::Bench;

/// What the measure is called.
pub(crate) const TITLE: Title = Title {
    name: "reserve_budget",
    unit: "calls/s at 64 in flight",
    limit_name: "its SQL bare, a transaction a call",
};
/// How many accounts the reservations fall on.
const ACCOUNTS: usize = 1000;
/// What each reservation holds.
const AMOUNT_MICROS: i64 = 1000;

/// Runs the measure on `engine`; `None` when that is not at hand.
///
/// # Errors
/// When a server does not start or a call fails.
pub(crate) async fn measure(bench: &Bench, engine: Engine) -> Result<Option<Measure>> {
    let Some(system) = billing::start(bench, engine).await? else {
        return Ok(None);
    };
    let Some(bare) = Bare::prepare(bench, engine, ACCOUNTS).await? else {
        return Ok(None);
    };
    let connections = system.process.connect().await?;
    let advertisers = billing::open_accounts(&connections, ACCOUNTS).await?;
    let mut rounds = Vec::new();
    for _ in 0..bench.rounds {
        let limit = load::drive(bench.span, |_| bare.reserve())
            .await
            .context("reserving bare")?;
        let before = system.process.cpu()?;
        let outcome = reserve(bench.span, &connections, &advertisers)
            .await
            .context("reserving budget")?;
        let cpu = system.process.cpu()?.saturating_sub(before);
        rounds.push(Round {
            value: outcome.rate(),
            limit: limit.rate(),
            cpu_us: outcome.per_call(cpu),
            memory_mib: system.process.memory()?,
            latency: Some(Latency::of(&outcome)),
        });
    }
    Ok(Some(Measure::of(TITLE, engine_name(engine), &rounds)))
}

async fn reserve(
    span: Duration,
    connections: &[Channel],
    advertisers: &[String],
) -> Result<Outcome> {
    let money = || Money {
        currency_code: CURRENCY.to_owned(),
        micros: AMOUNT_MICROS,
    };
    load::drive(span, |caller| {
        let channel = connections[caller % connections.len()].clone();
        let mut client = pb::reservation_service_client::ReservationServiceClient::new(channel);
        let request = pb::ReserveBudgetRequest {
            request_id: Uuid::now_v7().to_string(),
            advertiser_id: advertisers[fastrand::usize(..advertisers.len())].clone(),
            line_item_id: LineItemId::generate().to_string(),
            terms_version: 1,
            amount: Some(money()),
            min_amount: Some(money()),
            serve_for: Some(prost_types::Duration {
                seconds: 3600,
                nanos: 0,
            }),
            settle_for: Some(prost_types::Duration {
                seconds: 7200,
                nanos: 0,
            }),
        };
        async move {
            client.reserve_budget(request).await?;
            Ok(())
        }
    })
    .await
}
