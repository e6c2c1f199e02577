//! What is known about the leasing of each line item, beside its leases. Who holds the line of a line item
//! decides about its leases.

use std::collections::HashMap;

use cleave_kernel::{LineItemId, Micros, Timestamp};
use cleave_storage::{Engine, StorageError, insert_chunks, padded};
use operations_domain::lease::{Lease, LeaseFacts, LeaseRefusal, LeaseState, servable};
use sea_orm::sea_query::{Expr, ExprTrait, OnConflict, Order, Query};
use sea_orm::{ConnectionTrait, DatabaseTransaction};

use crate::lease::live_leases_of;

/// Ids looked up by one statement.
const LOOKUP_CHUNK: usize = 1024;
const LINE_COLUMNS: [&str; 5] = [
    "line_item_id",
    "spend_counted",
    "refusal",
    "unreachable_since",
    "serve_until",
];

/// What is known about the leasing of a line item.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct LeaseLine {
    /// How much of its spend was counted towards leases, or came while there was none.
    pub spend_counted: Micros,
    /// Why Billing granted nothing when last asked.
    pub refusal: Option<LeaseRefusal>,
    /// Since when Billing does not answer.
    pub unreachable_since: Option<Timestamp>,
    /// Until when the newest lease that was granted serves or served.
    pub serve_until: Option<Timestamp>,
}

/// What is known about the leasing of `line_items`, those never leased left out.
pub async fn lease_lines<C: ConnectionTrait>(
    conn: &C,
    line_items: &[LineItemId],
) -> Result<HashMap<LineItemId, LeaseLine>, StorageError> {
    read_lines(conn, line_items, false).await
}

/// The same, locked, those never leased with nothing known: who holds the lines of line items decides about
/// their leases.
pub async fn lock_lines(
    txn: &DatabaseTransaction,
    line_items: &[LineItemId],
) -> Result<HashMap<LineItemId, LeaseLine>, StorageError> {
    let mut sorted = line_items.to_vec();
    sorted.sort_unstable();
    let mut lines = read_lines(txn, &sorted, true).await?;
    let missing: HashMap<LineItemId, LeaseLine> = sorted
        .into_iter()
        .filter(|id| !lines.contains_key(id))
        .map(|id| (id, LeaseLine::default()))
        .collect();
    // Only a twin can have inserted them meanwhile; the next try of this transaction then finds them.
    insert_lines(txn, &missing, false)
        .await
        .map_err(StorageError::unique_is_contention)?;
    lines.extend(missing);
    Ok(lines)
}

/// Writes what is known about the leasing of line items.
pub async fn store_lines(
    txn: &DatabaseTransaction,
    lines: &HashMap<LineItemId, LeaseLine>,
) -> Result<(), StorageError> {
    insert_lines(txn, lines, true).await
}

/// What the status of `line_items` takes from their leases, those never leased left out.
pub async fn lease_facts<C: ConnectionTrait>(
    conn: &C,
    line_items: &[LineItemId],
    now: Timestamp,
) -> Result<HashMap<LineItemId, LeaseFacts>, StorageError> {
    let mut facts: HashMap<LineItemId, LeaseFacts> = lease_lines(conn, line_items)
        .await?
        .into_iter()
        .map(|(id, line)| {
            let known = LeaseFacts {
                refusal: line.refusal,
                unreachable_since: line.unreachable_since,
                serve_until: line.serve_until,
                ..LeaseFacts::default()
            };
            (id, known)
        })
        .collect();
    let mut open: HashMap<LineItemId, Vec<Lease>> = HashMap::new();
    for record in live_leases_of(conn, line_items, now).await? {
        open.entry(record.lease.line_item)
            .or_default()
            .push(record.lease);
    }
    for (id, leases) in open {
        let known = facts.entry(id).or_default();
        known.left = servable(&leases, now);
        known.pending = leases
            .iter()
            .any(|lease| lease.state == LeaseState::Planned);
    }
    Ok(facts)
}

async fn read_lines<C: ConnectionTrait>(
    conn: &C,
    line_items: &[LineItemId],
    lock: bool,
) -> Result<HashMap<LineItemId, LeaseLine>, StorageError> {
    let mut lines = HashMap::new();
    for chunk in line_items.chunks(LOOKUP_CHUNK) {
        let ids = padded(chunk.iter().map(|id| id.uuid()));
        let mut select = Query::select();
        select
            .columns(LINE_COLUMNS)
            .from("lease_lines")
            .and_where(Expr::col("line_item_id").is_in(ids))
            .order_by("line_item_id", Order::Asc);
        if lock {
            select.lock_exclusive();
        }
        for result in conn.query_all(&select).await? {
            let refusal: Option<String> = result.try_get_by_index(2)?;
            let unreachable: Option<i64> = result.try_get_by_index(3)?;
            let serve_until: Option<i64> = result.try_get_by_index(4)?;
            let line = LeaseLine {
                spend_counted: Micros::new(result.try_get_by_index(1)?),
                refusal: refusal
                    .map(|json| serde_json::from_str(&json))
                    .transpose()
                    .map_err(|error| StorageError::Corrupt(error.to_string()))?,
                unreachable_since: unreachable.map(Timestamp::from_micros),
                serve_until: serve_until.map(Timestamp::from_micros),
            };
            lines.insert(LineItemId::from_uuid(result.try_get_by_index(0)?), line);
        }
    }
    Ok(lines)
}

async fn insert_lines(
    txn: &DatabaseTransaction,
    lines: &HashMap<LineItemId, LeaseLine>,
    replace: bool,
) -> Result<(), StorageError> {
    let engine = Engine::from(txn.get_database_backend());
    let [_, updated @ ..] = LINE_COLUMNS;
    for chunk in insert_chunks(engine, LINE_COLUMNS.len(), lines.iter().collect()) {
        let mut insert = Query::insert();
        insert.into_table("lease_lines").columns(LINE_COLUMNS);
        for (id, line) in chunk {
            let refusal = line.refusal.as_ref().map(serde_json::to_string).transpose();
            insert.values_panic([
                id.uuid().into(),
                line.spend_counted.get().into(),
                refusal
                    .map_err(|error| StorageError::Corrupt(error.to_string()))?
                    .into(),
                line.unreachable_since.map(Timestamp::micros).into(),
                line.serve_until.map(Timestamp::micros).into(),
            ]);
        }
        if replace {
            insert.on_conflict(
                OnConflict::column("line_item_id")
                    .update_columns(updated)
                    .to_owned(),
            );
        }
        txn.execute(&insert).await?;
    }
    Ok(())
}
