//! Follows delivery in the order of its changes: each row once, as it is now.

use cleave_storage::{Database, StorageError};
use operations_domain::delivery::Gates;
use operations_domain::watermark::Watermark;
use sea_orm::ConnectionTrait;
use sea_orm::sea_query::{Expr, ExprTrait, Order, Query};

use super::gate::{DeliveryHead, head, watermarks};
use super::row::{SourceNames, StoredRow, columns};

/// One helping of the delivery feed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DeliveryPage {
    /// The rows, in the order of their seqs.
    pub rows: Vec<StoredRow>,
    /// The watermarks that became so after the last helping; none of them before the rows that it speaks of.
    pub watermarks: Vec<Watermark>,
    /// Where to go on.
    pub next: i64,
    /// Whether that is the end of the feed, as far as was known.
    pub at_head: bool,
    /// How far delivery had come, and in which history.
    pub head: DeliveryHead,
    /// By which the state of the rows is told.
    pub gates: Gates,
}

/// Up to `limit` rows after `after`, and the watermarks after `watermarks_after` once the end is reached.
pub async fn changes(
    db: &Database,
    after: i64,
    watermarks_after: i64,
    limit: u64,
) -> Result<DeliveryPage, StorageError> {
    db.read("watch_delivery", |conn| async move {
        // Read before the rows: whatever has a seq up to this is committed and will be seen.
        let head = head(conn).await?;
        let rows = if head.seq > after {
            rows_after(conn, after, limit).await?
        } else {
            Vec::new()
        };
        let full = u64::try_from(rows.len()).is_ok_and(|count| count == limit);
        let last = rows.last().map_or(after, |row| row.seq);
        let next = if full { last } else { Ord::max(last, head.seq) };
        let at_head = next >= head.seq;
        let watermarks = if at_head && next > watermarks_after {
            watermarks(conn, watermarks_after, next).await?
        } else {
            Vec::new()
        };
        Ok(DeliveryPage {
            rows,
            watermarks,
            next,
            at_head,
            head,
            gates: Gates {
                frozen_through: head.frozen_through,
                complete_through: None,
            },
        })
    })
    .await
}

async fn rows_after<C: ConnectionTrait>(
    conn: &C,
    after: i64,
    limit: u64,
) -> Result<Vec<StoredRow>, StorageError> {
    let select = Query::select()
        .columns(columns())
        .from("delivery_rows")
        .and_where(Expr::col("seq").gt(after))
        .order_by("seq", Order::Asc)
        .limit(limit)
        .to_owned();
    let mut names = SourceNames::default();
    let results = conn.query_all(&select).await?;
    results
        .iter()
        .map(|result| StoredRow::read(result, &mut names).map(|(_, row)| row))
        .collect()
}
