//! Messages to Billing, stored in the transaction that causes them and told by a task.

use cleave_kernel::{RequestId, Timestamp};
use cleave_storage::StorageError;
use operations_domain::OutboxMessage;
use sea_orm::ConnectionTrait;
use sea_orm::sea_query::{Expr, ExprTrait, Order, Query};

use crate::row::corrupt;
use crate::unit::Unit;

/// Keeps `message` until Billing has answered it, and answers the request that will tell it.
///
/// # Errors
/// When the database fails.
pub async fn push(unit: &Unit, message: &OutboxMessage) -> Result<RequestId, StorageError> {
    let request = RequestId::generate();
    let text = serde_json::to_string(message).map_err(corrupt)?;
    let now = unit.now().micros();
    let insert = Query::insert()
        .into_table("outbox")
        .columns(["id", "message", "created_at", "next_at", "attempts"])
        .values_panic([
            request.uuid().into(),
            text.into(),
            now.into(),
            now.into(),
            0_i64.into(),
        ])
        .to_owned();
    unit.execute(&insert).await?;
    Ok(request)
}

/// A message that waits to be told.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Waiting {
    /// The request that tells it.
    pub request: RequestId,
    /// What it says.
    pub message: OutboxMessage,
    /// How often telling it has failed.
    pub attempts: i64,
}

/// Up to `limit` messages that are due at `now`, the longest due first.
///
/// # Errors
/// When the database fails.
pub async fn due<C: ConnectionTrait>(
    conn: &C,
    now: Timestamp,
    limit: u64,
) -> Result<Vec<Waiting>, StorageError> {
    let select = Query::select()
        .columns(["id", "message", "attempts"])
        .from("outbox")
        .and_where(Expr::col("next_at").lte(now.micros()))
        .order_by("next_at", Order::Asc)
        .order_by("id", Order::Asc)
        .limit(limit)
        .to_owned();
    let results = conn.query_all(&select).await?;
    results
        .iter()
        .map(|result| {
            let message: String = result.try_get_by_index(1)?;
            Ok(Waiting {
                request: RequestId::from_uuid(result.try_get_by_index(0)?),
                message: serde_json::from_str(&message).map_err(corrupt)?,
                attempts: result.try_get_by_index(2)?,
            })
        })
        .collect()
}

/// How many messages wait, and since when the oldest does.
///
/// # Errors
/// When the database fails.
pub async fn depth<C: ConnectionTrait>(conn: &C) -> Result<(i64, Option<Timestamp>), StorageError> {
    let select = Query::select()
        .expr(Expr::col("id").count())
        .expr(Expr::col("created_at").min())
        .from("outbox")
        .to_owned();
    let Some(row) = conn.query_one(&select).await? else {
        return Ok((0, None));
    };
    let oldest: Option<i64> = row.try_get_by_index(1)?;
    Ok((row.try_get_by_index(0)?, oldest.map(Timestamp::from_micros)))
}

/// Forgets a message that Billing has answered.
///
/// # Errors
/// When the database fails.
pub async fn told(unit: &Unit, request: RequestId) -> Result<(), StorageError> {
    let delete = Query::delete()
        .from_table("outbox")
        .and_where(Expr::col("id").eq(request.uuid()))
        .to_owned();
    unit.execute(&delete).await?;
    Ok(())
}

/// Notes that telling a message failed, and when to try again.
///
/// # Errors
/// When the database fails.
pub async fn failed(
    unit: &Unit,
    request: RequestId,
    next_at: Timestamp,
    error: &str,
) -> Result<(), StorageError> {
    let update = Query::update()
        .table("outbox")
        .value("attempts", Expr::col("attempts").add(1_i64))
        .value("next_at", next_at.micros())
        .value("last_error", error)
        .and_where(Expr::col("id").eq(request.uuid()))
        .to_owned();
    unit.execute(&update).await?;
    Ok(())
}
