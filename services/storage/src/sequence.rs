//! Numbers without gaps: a row per sequence holds the last number given out, and stays locked until the
//! transaction that took some ends. Numbers of one that rolls back are given out again.

use sea_orm::sea_query::{Expr, ExprTrait, Query};
use sea_orm::{ConnectionTrait, DatabaseTransaction};

use crate::StorageError;
use crate::counter::Counter;

const SEQUENCES: Counter = Counter {
    table: "sequences",
    column: "taken",
    key: "name",
};

/// Takes `count` consecutive numbers from the sequence `name` and answers the first. A sequence starts at 1
/// and need not be declared. Waits for any transaction that holds the sequence, so take it late.
pub async fn allocate(
    txn: &DatabaseTransaction,
    name: &str,
    count: u32,
) -> Result<i64, StorageError> {
    let count = i64::from(count);
    if let Some(last) = SEQUENCES.raise(txn, name.into(), count).await? {
        return Ok(last - count + 1);
    }
    let declare = Query::insert()
        .into_table(SEQUENCES.table)
        .columns([SEQUENCES.key, SEQUENCES.column])
        .values_panic([name.into(), count.into()])
        .to_owned();
    // The key can only have been taken by a twin that declared the sequence at the same moment.
    txn.execute(&declare)
        .await
        .map_err(|error| StorageError::from(error).unique_is_contention())?;
    Ok(1)
}

/// The last number that the sequence `name` has given out, 0 before the first. Of transactions that have
/// committed: numbers become visible in their order.
pub async fn last<C: ConnectionTrait>(conn: &C, name: &str) -> Result<i64, StorageError> {
    let select = Query::select()
        .column(SEQUENCES.column)
        .from(SEQUENCES.table)
        .and_where(Expr::col(SEQUENCES.key).eq(name))
        .to_owned();
    let row = conn.query_one(&select).await?;
    Ok(row.map_or(Ok(0), |row| row.try_get_by_index(0))?)
}
