//! The change feed: one row per changed subject, numbered in the order of commits.
//!
//! The number comes from one row that every writer raises last and keeps locked until it commits, so the
//! commit order is the seq order: who has read up to a seq will never see a smaller one appear. A row says
//! *that* a subject changed; readers look its present state up. So changes may be coalesced, and superseded
//! ones deleted ([`compact`]), without a reader missing anything.

mod signal;

use cleave_kernel::Timestamp;
use sea_orm::sea_query::{Expr, ExprTrait, Order, Query};
use sea_orm::{ConnectionTrait, DatabaseTransaction, Statement, Value};
use uuid::Uuid;

pub use signal::{FeedSignal, FeedWatcher};

use crate::counter::Counter;
use crate::{Bulk, Column, Engine, StorageError};

const HEAD: Counter = Counter {
    table: "change_feed",
    column: "head_seq",
    key: "id",
};
/// The only row of `change_feed`.
pub(crate) const FEED_ROW: i16 = 1;
const CHANGE_COLUMNS: [&str; 4] = ["seq", "topic", "subject", "changed_at"];
const CHANGES: Bulk<4> = Bulk::new(
    "changes",
    [
        Column::big_int("seq"),
        Column::small_int("topic"),
        Column::uuid("subject"),
        Column::big_int("changed_at"),
    ],
);

/// Something that changed: a subject within a topic. What the topics are is the store's matter.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Change {
    /// The kind of subject.
    pub topic: i16,
    /// Its id.
    pub subject: Uuid,
}

/// A change as it was recorded.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ChangeRow {
    /// Its place in the order of commits.
    pub seq: i64,
    /// The kind of subject.
    pub topic: i16,
    /// Its id.
    pub subject: Uuid,
    /// When it changed.
    pub at: Timestamp,
}

/// How far the feed reaches.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FeedPosition {
    /// Names this history; a restore from a backup begins another one.
    pub epoch: Uuid,
    /// The newest change; 0 before the first.
    pub seq: i64,
    /// A reader that stands below this cannot go on.
    pub floor: i64,
}

/// One helping of the feed, narrowed to some topics.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FeedPage {
    /// The changes of the topics asked for.
    pub rows: Vec<ChangeRow>,
    /// Where to go on: also past rows of other topics.
    pub next: i64,
    /// Whether more lies behind `next` for certain.
    pub more: bool,
}

/// Records `changes` and answers the seq of the last; the first has `last - changes.len() + 1`. From here to
/// the commit every other writer waits, so call this after all row locks are taken.
pub async fn append(
    txn: &DatabaseTransaction,
    at: Timestamp,
    changes: &[Change],
) -> Result<i64, StorageError> {
    if changes.is_empty() {
        return Ok(head(txn).await?.seq);
    }
    let count = i64::try_from(changes.len())
        .map_err(|_| StorageError::Corrupt("more changes than numbers".to_owned()))?;
    let last = HEAD
        .raise(txn, FEED_ROW.into(), count)
        .await?
        .ok_or_else(not_migrated)?;
    let rows = (last - count + 1..).zip(changes).map(|(seq, change)| {
        [
            seq.into(),
            change.topic.into(),
            change.subject.into(),
            at.micros().into(),
        ]
    });
    CHANGES.insert(txn, rows.collect()).await?;
    Ok(last)
}

/// Up to `limit` changes after `after`, oldest first.
pub async fn read<C: ConnectionTrait>(
    conn: &C,
    after: i64,
    limit: u64,
) -> Result<Vec<ChangeRow>, StorageError> {
    let select = Query::select()
        .columns(CHANGE_COLUMNS)
        .from("changes")
        .and_where(Expr::col("seq").gt(after))
        .order_by("seq", Order::Asc)
        .limit(limit)
        .to_owned();
    let rows = conn.query_all(&select).await?;
    rows.iter()
        .map(|row| {
            Ok(ChangeRow {
                seq: row.try_get_by_index(0)?,
                topic: row.try_get_by_index(1)?,
                subject: row.try_get_by_index(2)?,
                at: Timestamp::from_micros(row.try_get_by_index(3)?),
            })
        })
        .collect()
}

/// Looks at up to `limit` changes after `after` and keeps those of `topics`.
pub async fn read_topics<C: ConnectionTrait>(
    conn: &C,
    after: i64,
    topics: &[i16],
    limit: u64,
) -> Result<FeedPage, StorageError> {
    let mut rows = read(conn, after, limit).await?;
    let next = rows.last().map_or(after, |row| row.seq);
    let more = u64::try_from(rows.len()).is_ok_and(|seen| seen == limit);
    rows.retain(|row| topics.contains(&row.topic));
    Ok(FeedPage { rows, next, more })
}

/// How far the feed reaches now.
pub async fn head<C: ConnectionTrait>(conn: &C) -> Result<FeedPosition, StorageError> {
    let select = Query::select()
        .columns(["epoch", "head_seq", "floor_seq"])
        .from(HEAD.table)
        .and_where(Expr::col(HEAD.key).eq(FEED_ROW))
        .to_owned();
    let row = conn.query_one(&select).await?.ok_or_else(not_migrated)?;
    Ok(FeedPosition {
        epoch: row.try_get_by_index(0)?,
        seq: row.try_get_by_index(1)?,
        floor: row.try_get_by_index(2)?,
    })
}

/// Begins a new history, so that readers start over. To be run once after a restore from a backup: seqs given
/// out after the backup was taken would otherwise be given out again, and readers would skip what bears them.
pub async fn bump_epoch(txn: &DatabaseTransaction) -> Result<Uuid, StorageError> {
    let epoch = Uuid::new_v4();
    let update = Query::update()
        .table(HEAD.table)
        .value("epoch", epoch)
        .and_where(Expr::col(HEAD.key).eq(FEED_ROW))
        .to_owned();
    txn.execute(&update).await?;
    Ok(epoch)
}

/// Deletes changes up to `up_to` that a later change of the same subject supersedes, at most `limit` of them;
/// answers how many. Readers miss nothing: they will meet the later change.
pub async fn compact(
    txn: &DatabaseTransaction,
    up_to: i64,
    limit: u64,
) -> Result<u64, StorageError> {
    let backend = txn.get_database_backend();
    let superseded = "SELECT DISTINCT older.seq FROM changes older \
         JOIN changes newer ON newer.topic = older.topic AND newer.subject = older.subject AND newer.seq > older.seq \
         WHERE older.seq <= {1} ORDER BY older.seq LIMIT {2}";
    let superseded = match Engine::from(backend) {
        Engine::Postgres => superseded.replace("{1}", "$1").replace("{2}", "$2"),
        Engine::Sqlite | Engine::MySql => superseded.replace("{1}", "?").replace("{2}", "?"),
    };
    // MySQL refuses LIMIT directly under IN, hence the derived table.
    let sql =
        format!("DELETE FROM changes WHERE seq IN (SELECT seq FROM ({superseded}) AS superseded)");
    let limit = i64::try_from(limit).unwrap_or(i64::MAX);
    let values: [Value; 2] = [up_to.into(), limit.into()];
    let done = txn
        .execute_raw(Statement::from_sql_and_values(backend, sql, values))
        .await?;
    Ok(done.rows_affected())
}

/// Forgets every change up to `floor`; readers that have not passed it must start over.
pub async fn raise_floor(txn: &DatabaseTransaction, floor: i64) -> Result<(), StorageError> {
    let raise = Query::update()
        .table(HEAD.table)
        .value("floor_seq", floor)
        .and_where(Expr::col(HEAD.key).eq(FEED_ROW))
        .and_where(Expr::col("floor_seq").lt(floor))
        .and_where(Expr::col("head_seq").gte(floor))
        .to_owned();
    if txn.execute(&raise).await?.rows_affected() == 0 {
        return Ok(());
    }
    let forget = Query::delete()
        .from_table("changes")
        .and_where(Expr::col("seq").lte(floor))
        .to_owned();
    txn.execute(&forget).await?;
    Ok(())
}

fn not_migrated() -> StorageError {
    StorageError::Unsuitable("the database has no change feed: run the migrations".to_owned())
}
