//! Freezes the past.

use cleave_kernel::Timestamp;
use cleave_storage::StorageError;
use operations_domain::Refusal;
use sea_orm::sea_query::{Expr, ExprTrait, Query};
use sea_orm::{ConnectionTrait, DatabaseTransaction};
use serde::{Deserialize, Serialize};

use super::gate;
use super::key::least_id;

/// What a freeze did.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct FreezeOutcome {
    /// How many rows it froze.
    pub frozen: i64,
    /// The seq of the last row or watermark.
    pub seq: i64,
    /// Every hour before this instant is frozen now.
    pub through: Timestamp,
}

/// Freezes the hours before `through`, for good. What is frozen already stays so.
///
/// # Errors
/// Refused when a source that has rows there has not reported completely.
pub async fn freeze(
    txn: &DatabaseTransaction,
    through: Timestamp,
) -> Result<Result<FreezeOutcome, Refusal>, StorageError> {
    let mut gate = gate::lock(txn).await?;
    if let Some(frozen) = gate.frozen_through.filter(|frozen| *frozen >= through) {
        return Ok(Ok(FreezeOutcome {
            frozen: 0,
            seq: gate.head_seq,
            through: frozen,
        }));
    }
    for (name, source) in gate::load_sources(txn, None).await? {
        let concerned = source.first_hour.is_some_and(|first| first < through);
        let complete = source.complete_through.is_some_and(|done| done >= through);
        if concerned && !complete {
            return Ok(Err(Refusal::DeliveryIncomplete {
                source_name: name.to_string(),
                complete_through: source.complete_through,
            }));
        }
    }
    let frozen = count_rows(txn, gate.frozen_through, through).await?;
    gate.frozen_through = Some(through);
    gate::advance(txn, &gate).await?;
    Ok(Ok(FreezeOutcome {
        frozen,
        seq: gate.head_seq,
        through,
    }))
}

async fn count_rows(
    txn: &DatabaseTransaction,
    from: Option<Timestamp>,
    until: Timestamp,
) -> Result<i64, StorageError> {
    let mut select = Query::select();
    select
        .expr(Expr::col("id").count())
        .from("delivery_rows")
        .and_where(Expr::col("id").lt(least_id(until)));
    if let Some(from) = from {
        select.and_where(Expr::col("id").gte(least_id(from)));
    }
    let row = txn.query_one(&select).await?;
    Ok(row.map_or(Ok(0), |row| row.try_get_by_index(0))?)
}
