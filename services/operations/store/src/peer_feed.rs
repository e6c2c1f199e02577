//! How far each feed of the other side was followed: stored with the effects of what was read, so that a crash
//! neither loses nor repeats any.

use cleave_kernel::Timestamp;
use cleave_storage::StorageError;
use sea_orm::sea_query::{Expr, ExprTrait, OnConflict, Query};
use sea_orm::{ConnectionTrait, DatabaseTransaction};

/// Billing's feed of accounts.
pub const ACCOUNTS: &str = "billing.accounts";

const COLUMNS: [&str; 5] = ["name", "token", "revision", "as_of", "heard_at"];

/// Where a feed was followed to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PeerPosition {
    /// What to resume with; empty starts from the beginning.
    pub token: String,
    /// How far the other side's feed had come.
    pub revision: i64,
    /// When that was so, by the other side's clock.
    pub as_of: Timestamp,
    /// When we heard of it, by ours.
    pub heard_at: Timestamp,
}

/// Where the feed `name` was followed to; `None` before its first message.
pub async fn position<C: ConnectionTrait>(
    conn: &C,
    name: &str,
) -> Result<Option<PeerPosition>, StorageError> {
    let select = Query::select()
        .columns(["token", "revision", "as_of", "heard_at"])
        .from("peer_feeds")
        .and_where(Expr::col("name").eq(name))
        .to_owned();
    let Some(result) = conn.query_one(&select).await? else {
        return Ok(None);
    };
    Ok(Some(PeerPosition {
        token: result.try_get_by_index(0)?,
        revision: result.try_get_by_index(1)?,
        as_of: Timestamp::from_micros(result.try_get_by_index(2)?),
        heard_at: Timestamp::from_micros(result.try_get_by_index(3)?),
    }))
}

/// Stores where the feed `name` was followed to.
pub async fn store_position(
    txn: &DatabaseTransaction,
    name: &str,
    position: &PeerPosition,
) -> Result<(), StorageError> {
    let [_, updated @ ..] = COLUMNS;
    let insert = Query::insert()
        .into_table("peer_feeds")
        .columns(COLUMNS)
        .values_panic([
            name.into(),
            position.token.as_str().into(),
            position.revision.into(),
            position.as_of.micros().into(),
            position.heard_at.micros().into(),
        ])
        .on_conflict(
            OnConflict::column("name")
                .update_columns(updated)
                .to_owned(),
        )
        .to_owned();
    txn.execute(&insert).await?;
    Ok(())
}
