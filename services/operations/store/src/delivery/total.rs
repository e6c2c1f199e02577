//! Sums kept beside the rows, so that what a line item has spent is read without reading its rows.

use std::collections::{BTreeMap, HashMap};

use cleave_kernel::{AdUnitId, LineItemId, Timestamp};
use cleave_storage::{Engine, StorageError, padded};
use jiff::tz::TimeZone;
use operations_domain::delivery::{DeliveryCounts, DeliveryKey};
use operations_domain::delivery_total::{DayTotal, civil_day};
use sea_orm::sea_query::{Expr, ExprTrait, OnConflict, Order, Query};
use sea_orm::{ConnectionTrait, DatabaseTransaction};
use uuid::Uuid;

use super::chunk::fixed;
use super::row::{COUNT_COLUMNS, read_counts};

const DAY_KEY: [&str; 3] = ["line_item_id", "terms_version", "day"];
const DAY_BINDS: usize = DAY_KEY.len() + 1 + DeliveryCounts::LEN;
/// Ids looked up by one statement.
const LOOKUP_CHUNK: usize = 1024;

/// By how much an intake moves the sums of days.
#[derive(Debug, Default)]
pub(super) struct DayDeltas {
    deltas: BTreeMap<(Uuid, i64, i32), DeliveryCounts>,
    /// The day of each hour met: the calendar is asked once an hour, not once a row.
    days: HashMap<Timestamp, i32>,
}

impl DayDeltas {
    pub(super) fn add(&mut self, key: &DeliveryKey, delta: DeliveryCounts, zone: &TimeZone) {
        let day = *self
            .days
            .entry(key.hour)
            .or_insert_with(|| civil_day(key.hour, zone));
        let sum = self
            .deltas
            .entry((key.line_item.uuid(), key.terms_version, day))
            .or_default();
        *sum = sum.plus(delta);
    }
}

/// The sums of `line_items`, day by day.
pub async fn days_of<C: ConnectionTrait>(
    conn: &C,
    line_items: &[LineItemId],
) -> Result<Vec<DayTotal>, StorageError> {
    let mut days = Vec::new();
    for chunk in line_items.chunks(LOOKUP_CHUNK) {
        let ids = padded(chunk.iter().map(|id| id.uuid()));
        let select = Query::select()
            .columns(DAY_KEY)
            .columns(COUNT_COLUMNS)
            .from("delivery_days")
            .and_where(Expr::col("line_item_id").is_in(ids))
            .to_owned();
        for result in conn.query_all(&select).await? {
            days.push(DayTotal {
                line_item: LineItemId::from_uuid(result.try_get_by_index(0)?),
                terms_version: result.try_get_by_index(1)?,
                day: result.try_get_by_index(2)?,
                counts: read_counts(&result, DAY_KEY.len())?,
            });
        }
    }
    Ok(days)
}

/// Line items with delivery after `seq`, about `limit` of them, and the seq through which that is all.
pub async fn moved_since<C: ConnectionTrait>(
    conn: &C,
    seq: i64,
    limit: u64,
) -> Result<(Vec<LineItemId>, i64), StorageError> {
    let (mut line_items, last) = moved(conn, Expr::col("seq").gt(seq), Some(limit)).await?;
    let Some(last) = last else {
        return Ok((line_items, seq));
    };
    // The days of one intake share a seq, which a full page may cut through.
    if u64::try_from(line_items.len()).is_ok_and(|count| count == limit) {
        line_items.extend(moved(conn, Expr::col("seq").eq(last), None).await?.0);
    }
    line_items.sort_unstable();
    line_items.dedup();
    Ok((line_items, last))
}

async fn moved<C: ConnectionTrait>(
    conn: &C,
    which: Expr,
    limit: Option<u64>,
) -> Result<(Vec<LineItemId>, Option<i64>), StorageError> {
    let mut select = Query::select();
    select
        .columns(["seq", "line_item_id"])
        .from("delivery_days")
        .and_where(which)
        .order_by("seq", Order::Asc);
    if let Some(limit) = limit {
        select.limit(limit);
    }
    let results = conn.query_all(&select).await?;
    let last = results
        .last()
        .map(|result| result.try_get_by_index(0))
        .transpose()?;
    let line_items: Result<Vec<LineItemId>, StorageError> = results
        .iter()
        .map(|result| Ok(LineItemId::from_uuid(result.try_get_by_index(1)?)))
        .collect();
    Ok((line_items?, last))
}

/// The last hour that was reported for each of `ad_units` that has any.
pub async fn last_hours<C: ConnectionTrait>(
    conn: &C,
    ad_units: &[AdUnitId],
) -> Result<HashMap<AdUnitId, Timestamp>, StorageError> {
    let mut hours = HashMap::new();
    for chunk in ad_units.chunks(LOOKUP_CHUNK) {
        let ids = padded(chunk.iter().map(|id| id.uuid()));
        let select = Query::select()
            .columns(["ad_unit_id", "last_hour"])
            .from("delivery_ad_units")
            .and_where(Expr::col("ad_unit_id").is_in(ids))
            .to_owned();
        for result in conn.query_all(&select).await? {
            let ad_unit = AdUnitId::from_uuid(result.try_get_by_index(0)?);
            hours.insert(ad_unit, Timestamp::from_micros(result.try_get_by_index(1)?));
        }
    }
    Ok(hours)
}

/// Adds `deltas` to the sums. To be called with the gate held.
pub(super) async fn add_days(
    txn: &DatabaseTransaction,
    deltas: &DayDeltas,
    seq: i64,
) -> Result<(), StorageError> {
    let engine = Engine::from(txn.get_database_backend());
    let mut conflict = OnConflict::columns(DAY_KEY);
    conflict.update_column("seq");
    for name in COUNT_COLUMNS {
        conflict.value(name, added(engine, name));
    }
    let deltas: Vec<_> = deltas.deltas.iter().collect();
    for chunk in fixed(engine, DAY_BINDS, &deltas) {
        let mut insert = Query::insert();
        let columns = DAY_KEY.into_iter().chain(["seq"]).chain(COUNT_COLUMNS);
        insert.into_table("delivery_days").columns(columns);
        for ((line_item, terms_version, day), counts) in chunk {
            let key = [
                (*line_item).into(),
                (*terms_version).into(),
                (*day).into(),
                seq.into(),
            ];
            let counts = counts.to_array().map(Expr::val);
            insert.values_panic(key.into_iter().chain(counts));
        }
        insert.on_conflict(conflict.clone());
        txn.execute(&insert).await?;
    }
    Ok(())
}

/// Notes the last hours of ad units. To be called with the gate held.
pub(super) async fn raise_last_hours(
    txn: &DatabaseTransaction,
    hours: &HashMap<Uuid, Timestamp>,
) -> Result<(), StorageError> {
    let engine = Engine::from(txn.get_database_backend());
    let highest = match engine {
        Engine::Sqlite => "max(delivery_ad_units.last_hour, excluded.last_hour)",
        Engine::Postgres => "greatest(delivery_ad_units.last_hour, excluded.last_hour)",
        Engine::MySql => "greatest(last_hour, values(last_hour))",
    };
    let conflict = OnConflict::column("ad_unit_id")
        .value("last_hour", Expr::cust(highest))
        .to_owned();
    let hours: Vec<_> = hours.iter().collect();
    for chunk in fixed(engine, 2, &hours) {
        let mut insert = Query::insert();
        insert
            .into_table("delivery_ad_units")
            .columns(["ad_unit_id", "last_hour"]);
        for (ad_unit, hour) in chunk {
            insert.values_panic([(**ad_unit).into(), hour.micros().into()]);
        }
        insert.on_conflict(conflict.clone());
        txn.execute(&insert).await?;
    }
    Ok(())
}

/// What stands in column `name` plus what comes.
fn added(engine: Engine, name: &'static str) -> Expr {
    Expr::cust(match engine {
        Engine::Sqlite | Engine::Postgres => format!("delivery_days.{name} + excluded.{name}"),
        Engine::MySql => format!("{name} + values({name})"),
    })
}
