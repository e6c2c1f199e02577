//! Delivery rows rated end to end, beside the storing of as many rows by bare statements.
//!
//! A fake Operations streams the rows from memory; the clock runs from the report of the last row until Billing
//! answers that the very sum is charged.

use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use cleave_contracts::billing::v1 as pb;
use cleave_contracts::operations::v1 as ops;
use cleave_contracts::types::v1 as types;
use cleave_kernel::{AdUnitId, CampaignId, GameId, LineItemId};
use cleave_storage::Engine;
use operations_client::fake::{FakeOperations, ShareVersion};
use prost_types::Timestamp;
use tonic::transport::Channel;

use crate::bare::Bare;
use crate::billing::{self, CURRENCY};
use crate::report::{Measure, Round, Title};
use crate::service::engine_name;
use crate::setup::Bench;

/// What the measure is called.
pub(crate) const TITLE: Title = Title {
    name: "delivery_rating",
    unit: "rows/s end to end",
    limit_name: "its rows stored bare, by 1000",
};
/// How many line items, and as many ad units, the rows are about.
const LINE_ITEMS: usize = 20;
/// Price of a click.
const RATE_MICROS: i64 = 1000;
/// Clicks of a row.
const CLICKS: i64 = 7;
/// The start of the first hour that is reported.
const FIRST_HOUR: i64 = 1_767_225_600;
/// How long rating may take before something must be wrong.
const PATIENCE: Duration = Duration::from_secs(120);
/// Rows of a bare transaction.
const BATCH: usize = 1000;

/// Runs the measure on `engine`; `None` when that is not at hand.
///
/// # Errors
/// When a server does not start, or the sum is never charged.
pub(crate) async fn measure(bench: &Bench, engine: Engine) -> Result<Option<Measure>> {
    let Some(bare) = Bare::prepare(bench, engine, 1).await? else {
        return Ok(None);
    };
    let mut rounds = Vec::new();
    for _ in 0..bench.rounds {
        let limit = store_bare(&bare, bench.rows)
            .await
            .context("storing rows bare")?;
        // A fresh pair each time, so that every round rates into tables of the same size.
        let operations = FakeOperations::start().await?;
        let address = operations.server().addr().to_string();
        let Some(system) = billing::start_beside(bench, engine, address).await? else {
            return Ok(None);
        };
        let connections = system.process.connect().await?;
        let line_items = publish(&operations, &connections).await?;
        let rows = rows(&line_items, bench.rows);
        let before = system.process.cpu()?;
        operations.report(rows);
        let took = until_charged(&connections[0], &line_items, bench.rows).await?;
        let cpu = system.process.cpu()?.saturating_sub(before);
        let count = f64::from(u32::try_from(bench.rows)?);
        rounds.push(Round {
            value: count / took.as_secs_f64(),
            limit,
            cpu_us: cpu.as_secs_f64() * 1e6 / count,
            memory_mib: system.process.memory()?,
            latency: None,
        });
    }
    Ok(Some(Measure::of(TITLE, engine_name(engine), &rounds)))
}

/// Rows per second that bare statements store.
async fn store_bare(bare: &Bare, rows: usize) -> Result<f64> {
    let began = Instant::now();
    for _ in 0..rows.div_ceil(BATCH) {
        bare.store_rows(BATCH).await?;
    }
    let stored = u32::try_from(rows.div_ceil(BATCH) * BATCH)?;
    Ok(f64::from(stored) / began.elapsed().as_secs_f64())
}

/// A line item and the ad unit that it is served on.
struct Placement {
    line_item: String,
    ad_unit: String,
}

/// Opens the accounts, and publishes terms and shares for every placement.
async fn publish(operations: &FakeOperations, connections: &[Channel]) -> Result<Vec<Placement>> {
    let advertiser = billing::open_accounts(connections, 1).await?.remove(0);
    let publisher = billing::open_publisher(&connections[0]).await?;
    let since = Timestamp {
        seconds: FIRST_HOUR - 86_400,
        nanos: 0,
    };
    let campaign = CampaignId::generate().to_string();
    let placement = || {
        let placement = Placement {
            line_item: LineItemId::generate().to_string(),
            ad_unit: AdUnitId::generate().to_string(),
        };
        operations.publish_terms(ops::LineItemTerms {
            line_item_id: placement.line_item.clone(),
            version: 1,
            campaign_id: campaign.clone(),
            advertiser_id: advertiser.clone(),
            currency_code: CURRENCY.to_owned(),
            pricing_model: types::PricingModel::Cpc.into(),
            rate_micros: RATE_MICROS,
            unit: 1,
            billing_source: ops::BillingSource::Own.into(),
            overdelivery_policy: types::OverdeliveryPolicy::PlatformAbsorbs.into(),
            effective_time: Some(since),
            ..Default::default()
        });
        operations.publish_share(ShareVersion {
            ad_unit_id: placement.ad_unit.clone(),
            publisher_id: publisher.clone(),
            game_id: GameId::generate().to_string(),
            share_ppm: 700_000,
            effective_time: since,
        });
        placement
    };
    Ok((0..LINE_ITEMS).map(|_| placement()).collect())
}

/// `count` rows, an hour at a time for every placement.
fn rows(placements: &[Placement], count: usize) -> Vec<ops::DeliveryRow> {
    let hours = (FIRST_HOUR..).step_by(3600);
    let keys = hours.flat_map(|hour| placements.iter().map(move |placement| (hour, placement)));
    keys.take(count)
        .map(|(hour, placement)| ops::DeliveryRow {
            key: Some(ops::DeliveryKey {
                source: "bench".to_owned(),
                line_item_id: placement.line_item.clone(),
                terms_version: 1,
                ad_unit_id: placement.ad_unit.clone(),
                hour: Some(Timestamp {
                    seconds: hour,
                    nanos: 0,
                }),
            }),
            revision: 1,
            counts: Some(ops::DeliveryCounts {
                impressions: 100 * CLICKS,
                clicks: CLICKS,
                ..Default::default()
            }),
            ..Default::default()
        })
        .collect()
}

/// Asks until exactly `rows` rows are charged, and answers how long that took.
async fn until_charged(
    channel: &Channel,
    placements: &[Placement],
    rows: usize,
) -> Result<Duration> {
    let began = Instant::now();
    let expected = i64::try_from(rows)? * CLICKS * RATE_MICROS;
    let mut client = pb::spend_service_client::SpendServiceClient::new(channel.clone());
    let line_item_ids: Vec<_> = placements.iter().map(|p| p.line_item.clone()).collect();
    loop {
        let request = pb::BatchGetSpendRequest {
            line_item_ids: line_item_ids.clone(),
        };
        let answer = client.batch_get_spend(request).await?.into_inner();
        let rated: i64 = answer.spends.iter().map(|spend| spend.rated_micros).sum();
        if rated == expected {
            return Ok(began.elapsed());
        }
        ensure!(
            rated < expected,
            "{rated} micros are charged instead of {expected}"
        );
        ensure!(
            began.elapsed() < PATIENCE,
            "only {rated} of {expected} micros are charged"
        );
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}
