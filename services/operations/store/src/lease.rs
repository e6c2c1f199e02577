//! Leases.

use cleave_kernel::{
    AdvertiserId, Currency, LineItemId, Micros, RequestId, ReservationId, Timestamp,
};
use cleave_storage::{Engine, StorageError, insert_chunks, padded};
use operations_domain::LineItemState;
use operations_domain::lease::{Lease, LeaseState};
use sea_orm::sea_query::{Cond, Expr, ExprTrait, OnConflict, Order, Query, SelectStatement};
use sea_orm::{ConnectionTrait, DatabaseTransaction, QueryResult, Value};
use uuid::Uuid;

/// Ids looked up by one statement.
const LOOKUP_CHUNK: usize = 1024;
const COLUMNS: [&str; 15] = [
    "request_id",
    "line_item_id",
    "advertiser_id",
    "currency",
    "terms_version",
    "state",
    "asked",
    "least",
    "planned_at",
    "serve_until",
    "settle_until",
    "reservation_id",
    "granted",
    "granted_at",
    "counted",
];
/// A lease with whose money it is on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LeaseRecord {
    /// The lease.
    pub lease: Lease,
    /// Who pays.
    pub advertiser: AdvertiserId,
    /// In which currency.
    pub currency: Currency,
}

/// Writes leases, new ones and changed ones.
pub async fn store_leases(
    txn: &DatabaseTransaction,
    leases: &[LeaseRecord],
) -> Result<(), StorageError> {
    let engine = Engine::from(txn.get_database_backend());
    for chunk in insert_chunks(engine, COLUMNS.len(), leases.iter().collect()) {
        let mut insert = Query::insert();
        insert.into_table("leases").columns(COLUMNS);
        for record in chunk {
            insert.values_panic(values(record).map(Expr::val));
        }
        insert.on_conflict(
            OnConflict::column("request_id")
                .update_columns([
                    "state",
                    "serve_until",
                    "reservation_id",
                    "granted",
                    "granted_at",
                    "counted",
                ])
                .to_owned(),
        );
        txn.execute(&insert).await?;
    }
    Ok(())
}

/// The leases that are asked for or may be served against at `now`.
pub async fn live_leases<C: ConnectionTrait>(
    conn: &C,
    now: Timestamp,
) -> Result<Vec<LeaseRecord>, StorageError> {
    read_all(conn, select().cond_where(live(now))).await
}

/// The same of `line_items` alone.
pub async fn live_leases_of<C: ConnectionTrait>(
    conn: &C,
    line_items: &[LineItemId],
    now: Timestamp,
) -> Result<Vec<LeaseRecord>, StorageError> {
    let mut leases = Vec::new();
    for chunk in line_items.chunks(LOOKUP_CHUNK) {
        let ids = padded(chunk.iter().map(|id| id.uuid()));
        let mut select = select();
        select
            .cond_where(live(now))
            .and_where(Expr::col("line_item_id").is_in(ids));
        leases.append(&mut read_all(conn, &select).await?);
    }
    Ok(leases)
}

/// The leases that Billing is to be asked or told about, oldest first, at most `limit` of them.
pub async fn waiting_leases<C: ConnectionTrait>(
    conn: &C,
    limit: u64,
) -> Result<Vec<LeaseRecord>, StorageError> {
    let waiting = [LeaseState::Planned, LeaseState::Releasing].map(|state| state.to_string());
    let waiting = Expr::col("state").is_in(waiting);
    read_all(conn, select().and_where(waiting).limit(limit)).await
}

/// Has every lease that serves at `now` asked for once more, by the same request: Billing has begun another history,
/// which may not know of it. Answers how many.
pub async fn ask_again(txn: &DatabaseTransaction, now: Timestamp) -> Result<u64, StorageError> {
    let update = Query::update()
        .table("leases")
        .value("state", LeaseState::Planned.to_string())
        .and_where(Expr::col("state").eq(LeaseState::Held.to_string()))
        .and_where(Expr::col("serve_until").gt(now.micros()))
        .to_owned();
    Ok(txn.execute(&update).await?.rows_affected())
}

/// The line items of leases that end: served up to `reported_through`, by when all delivery is known, or no
/// longer settling at `now`. About `limit` leases of them.
pub async fn ended_lines<C: ConnectionTrait>(
    conn: &C,
    reported_through: Option<Timestamp>,
    now: Timestamp,
    limit: u64,
) -> Result<Vec<LineItemId>, StorageError> {
    let held = Expr::col("state").eq(LeaseState::Held.to_string());
    let known = reported_through.unwrap_or(Timestamp::from_micros(i64::MIN));
    let over = Cond::any()
        .add(Expr::col("serve_until").lte(Ord::min(known, now).micros()))
        .add(Expr::col("settle_until").lte(now.micros()))
        .add(Expr::col("granted_at").gte(Expr::col("serve_until")));
    let over = Cond::all()
        .add(held)
        .add(Expr::col("serve_until").lte(now.micros()))
        .add(over);
    let leases = read_all(conn, select().cond_where(over).limit(limit)).await?;
    let mut lines: Vec<LineItemId> = leases.iter().map(|record| record.lease.line_item).collect();
    lines.sort_unstable();
    lines.dedup();
    Ok(lines)
}

/// The line items that people want to run, `limit` of them after `after`, by id.
pub async fn enabled_line_items<C: ConnectionTrait>(
    conn: &C,
    after: Option<LineItemId>,
    limit: u64,
) -> Result<Vec<LineItemId>, StorageError> {
    let mut select = Query::select();
    select
        .column("id")
        .from("line_items")
        .and_where(Expr::col("state").eq(LineItemState::Enabled.to_string()))
        .order_by("id", Order::Asc)
        .limit(limit);
    if let Some(after) = after {
        select.and_where(Expr::col("id").gt(after.uuid()));
    }
    let results = conn.query_all(&select).await?;
    results
        .iter()
        .map(|result| Ok(LineItemId::from_uuid(result.try_get_by_index(0)?)))
        .collect()
}

/// The leases of `line_items` that are not over, oldest first, locked.
pub async fn lock_open_leases(
    txn: &DatabaseTransaction,
    line_items: &[LineItemId],
) -> Result<Vec<LeaseRecord>, StorageError> {
    let mut leases = Vec::new();
    for chunk in line_items.chunks(LOOKUP_CHUNK) {
        let ids = padded(chunk.iter().map(|id| id.uuid()));
        let mut select = select();
        select
            .and_where(Expr::col("state").is_in(OPEN.map(|state| state.to_string())))
            .and_where(Expr::col("line_item_id").is_in(ids))
            .lock_exclusive();
        leases.append(&mut read_all(txn, &select).await?);
    }
    Ok(leases)
}

/// The newest leases of a line item, over or not, newest first.
pub async fn recent_leases<C: ConnectionTrait>(
    conn: &C,
    line_item: LineItemId,
    limit: u64,
) -> Result<Vec<LeaseRecord>, StorageError> {
    let mut select = Query::select();
    select
        .columns(COLUMNS)
        .from("leases")
        .and_where(Expr::col("line_item_id").eq(line_item.uuid()))
        .order_by("planned_at", Order::Desc)
        .limit(limit);
    read_all(conn, &select).await
}

/// Deletes leases that were over before `before`, at most `limit` of them; answers how many.
pub async fn forget_leases(
    txn: &DatabaseTransaction,
    before: Timestamp,
    limit: u64,
) -> Result<usize, StorageError> {
    let mut select = select();
    select
        .and_where(Expr::col("state").eq(LeaseState::Closed.to_string()))
        .and_where(Expr::col("settle_until").lt(before.micros()))
        .limit(limit);
    let ids: Vec<Uuid> = read_all(txn, &select)
        .await?
        .iter()
        .map(|record| record.lease.request.uuid())
        .collect();
    if ids.is_empty() {
        return Ok(0);
    }
    let delete = Query::delete()
        .from_table("leases")
        .and_where(Expr::col("request_id").is_in(padded(ids.iter().copied())))
        .to_owned();
    txn.execute(&delete).await?;
    Ok(ids.len())
}

const OPEN: [LeaseState; 3] = [LeaseState::Planned, LeaseState::Held, LeaseState::Releasing];

fn live(now: Timestamp) -> Cond {
    let serving = Cond::all()
        .add(Expr::col("state").eq(LeaseState::Held.to_string()))
        .add(Expr::col("serve_until").gt(now.micros()));
    Cond::any()
        .add(Expr::col("state").eq(LeaseState::Planned.to_string()))
        .add(serving)
}

pub(crate) fn select() -> SelectStatement {
    Query::select()
        .columns(COLUMNS)
        .from("leases")
        .order_by("planned_at", Order::Asc)
        .to_owned()
}

pub(crate) async fn read_all<C: ConnectionTrait>(
    conn: &C,
    select: &SelectStatement,
) -> Result<Vec<LeaseRecord>, StorageError> {
    let results = conn.query_all(select).await?;
    results.iter().map(read).collect()
}

fn values(record: &LeaseRecord) -> [Value; COLUMNS.len()] {
    let lease = &record.lease;
    [
        lease.request.uuid().into(),
        lease.line_item.uuid().into(),
        record.advertiser.uuid().into(),
        record.currency.code().into(),
        lease.terms_version.into(),
        lease.state.to_string().into(),
        lease.asked.get().into(),
        lease.least.get().into(),
        lease.planned_at.micros().into(),
        lease.serve_until.micros().into(),
        lease.settle_until.micros().into(),
        lease.reservation.map(ReservationId::uuid).into(),
        lease.granted.get().into(),
        lease.granted_at.map(Timestamp::micros).into(),
        lease.counted.get().into(),
    ]
}

fn read(result: &QueryResult) -> Result<LeaseRecord, StorageError> {
    let micros = |index: usize| -> Result<Micros, StorageError> {
        Ok(Micros::new(result.try_get_by_index(index)?))
    };
    let instant = |index: usize| -> Result<Timestamp, StorageError> {
        Ok(Timestamp::from_micros(result.try_get_by_index(index)?))
    };
    let currency: String = result.try_get_by_index(3)?;
    let state: String = result.try_get_by_index(5)?;
    let granted_at: Option<i64> = result.try_get_by_index(13)?;
    Ok(LeaseRecord {
        advertiser: AdvertiserId::from_uuid(result.try_get_by_index(2)?),
        currency: Currency::from_code(&currency)
            .map_err(|error| StorageError::Corrupt(error.to_string()))?,
        lease: Lease {
            request: RequestId::from_uuid(result.try_get_by_index(0)?),
            line_item: LineItemId::from_uuid(result.try_get_by_index(1)?),
            terms_version: result.try_get_by_index(4)?,
            state: state
                .parse()
                .map_err(|error: operations_domain::named::UnknownName| {
                    StorageError::Corrupt(error.to_string())
                })?,
            asked: micros(6)?,
            least: micros(7)?,
            planned_at: instant(8)?,
            serve_until: instant(9)?,
            settle_until: instant(10)?,
            reservation: result
                .try_get_by_index::<Option<Uuid>>(11)?
                .map(ReservationId::from_uuid),
            granted: micros(12)?,
            granted_at: granted_at.map(Timestamp::from_micros),
            counted: micros(14)?,
        },
    })
}
