//! Delivery rows taken in end to end, beside the storing of the same rows bare.
//!
//! The clock runs from the first message of one report until Operations answers that it has stored every row.

use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use cleave_contracts::operations::v1 as ops;
use cleave_storage::Engine;
use futures::stream;
use operations_client::OperationsClient;
use prost_types::Timestamp;

use crate::bare_rows::BareRows;
use crate::network::Network;
use crate::operations::Operations;
use crate::report::{Measure, Round, Title};
use crate::service::engine_name;
use crate::setup::Bench;

/// What the measure is called.
pub(crate) const TITLE: Title = Title {
    name: "delivery_intake",
    unit: "rows/s end to end",
    limit_name: "its rows stored bare, by 1000",
};
/// Who counted.
const SOURCE: &str = "bench";
/// Rows of a message: the most that one may have.
const BATCH: usize = 5000;
/// The start of the first hour that is reported. All hours of a run must have passed.
const FIRST_HOUR: i64 = 1_735_689_600;

/// Runs the measure on `engine`; `None` when that is not at hand.
///
/// # Errors
/// When the service does not start, or does not store every row.
pub(crate) async fn measure(bench: &Bench, engine: Engine) -> Result<Option<Measure>> {
    let Some(mut bare) = BareRows::prepare(bench, engine).await? else {
        return Ok(None);
    };
    let Some(system) = Operations::start(bench, engine).await? else {
        return Ok(None);
    };
    let network = system.network().await?;
    // Both tables grow by the same rows, each round by new ones.
    let mut keys = keys(&network);
    let mut rounds = Vec::new();
    for _ in 0..bench.rounds {
        let rows: Vec<_> = keys.by_ref().take(bench.rows).map(row).collect();
        let limit = bare.store(&rows).await.context("storing rows bare")?;
        let before = system.service.process.cpu()?;
        let took = report(&system.client, &rows).await?;
        let cpu = system.service.process.cpu()?.saturating_sub(before);
        let count = f64::from(u32::try_from(rows.len())?);
        rounds.push(Round {
            value: count / took.as_secs_f64(),
            limit: count / limit.as_secs_f64(),
            cpu_us: cpu.as_secs_f64() * 1e6 / count,
            memory_mib: system.service.process.memory()?,
            latency: None,
        });
    }
    let title = match engine {
        Engine::Postgres => Title {
            limit_name: "its rows by one COPY FROM",
            ..TITLE
        },
        Engine::Sqlite | Engine::MySql => TITLE,
    };
    Ok(Some(Measure::of(title, engine_name(engine), &rounds)))
}

/// Every key there is, hour by hour.
fn keys(network: &Network) -> impl Iterator<Item = ops::DeliveryKey> {
    let hours = (FIRST_HOUR..).step_by(3600);
    hours.flat_map(move |hour| {
        network.line_items.iter().flat_map(move |line_item| {
            let ad_units = network.ad_units.iter();
            ad_units.map(move |ad_unit| key(line_item, ad_unit, hour))
        })
    })
}

fn key(line_item: &str, ad_unit: &str, hour: i64) -> ops::DeliveryKey {
    ops::DeliveryKey {
        source: SOURCE.to_owned(),
        line_item_id: line_item.to_owned(),
        terms_version: 1,
        ad_unit_id: ad_unit.to_owned(),
        hour: Some(Timestamp {
            seconds: hour,
            nanos: 0,
        }),
    }
}

fn row(key: ops::DeliveryKey) -> ops::DeliveryRow {
    ops::DeliveryRow {
        key: Some(key),
        revision: 1,
        counts: Some(ops::DeliveryCounts {
            requests: 1400,
            impressions: 700,
            viewable_impressions: 560,
            clicks: 7,
            ..Default::default()
        }),
        ..Default::default()
    }
}

/// Reports `rows`, all of which must be new, and answers how long that took.
async fn report(operations: &OperationsClient, rows: &[ops::DeliveryRow]) -> Result<Duration> {
    let messages: Vec<_> = rows
        .chunks(BATCH)
        .map(|rows| ops::ReportDeliveryRequest {
            source: SOURCE.to_owned(),
            rows: rows.to_vec(),
            ..Default::default()
        })
        .collect();
    let began = Instant::now();
    let answer = operations.report_delivery(stream::iter(messages)).await?;
    let took = began.elapsed();
    ensure!(
        answer.inserted_count == i64::try_from(rows.len())?,
        "{} of {} rows are stored: {:?}",
        answer.inserted_count,
        rows.len(),
        answer.rejections.first()
    );
    Ok(took)
}
