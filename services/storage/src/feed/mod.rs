//! The change feed: one row per subject that ever changed, numbered in the order of commits.
//!
//! The number comes from one row that every writer raises last and keeps locked until it commits, so the
//! commit order is the seq order: who has read up to a seq will never see a smaller one appear. A row says
//! *that* a subject changed, and when last; readers look its present state up. A subject that changes again
//! moves to the end, so the feed is as long as there are subjects, needs no clean-up, and still takes a reader
//! from any position, also from the very beginning, to the present state of everything.

mod signal;

use std::collections::HashSet;

use cleave_kernel::Timestamp;
use sea_orm::sea_query::{Expr, ExprTrait, Order, Query};
use sea_orm::{ConnectionTrait, DatabaseTransaction};
use uuid::Uuid;

pub use signal::{FeedSignal, FeedWatcher};

use crate::counter::Counter;
use crate::{Bulk, Column, StorageError};

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
        Column::small_int("topic"),
        Column::uuid("subject"),
        Column::big_int("seq"),
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

/// The last change of a subject.
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
    /// Where a reader that comes without a token starts; one that stands below cannot go on.
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
    // Of a subject that is there twice, the last counts.
    let mut seen = HashSet::with_capacity(changes.len());
    let mut rows = Vec::with_capacity(changes.len());
    for (seq, change) in (last - count + 1..=last).rev().zip(changes.iter().rev()) {
        if seen.insert(change) {
            rows.push([
                change.topic.into(),
                change.subject.into(),
                seq.into(),
                at.micros().into(),
            ]);
        }
    }
    CHANGES.upsert(txn, &["topic", "subject"], rows).await?;
    Ok(last)
}

/// Up to `limit` subjects whose last change lies after `after`, in the order of those changes.
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

/// Forgets the subjects that have not changed since `floor`; readers that have not passed it must start over
/// from there, and learn of those subjects by other means.
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
