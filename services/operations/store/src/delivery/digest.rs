//! Digests of delivery, read from one consistent view however many rows there are.

use std::collections::BTreeMap;

use cleave_kernel::Timestamp;
use cleave_storage::{Database, StorageError};
use operations_domain::delivery::{DeliveryCounts, SourceName};
use operations_domain::delivery_digest::DeliveryDigest;
use sea_orm::ConnectionTrait;
use sea_orm::sea_query::{Expr, ExprTrait, Order, Query};
use uuid::Uuid;

use super::gate::head;
use super::key::least_id;
use super::row::{SourceNames, StoredRow, columns};

/// Rows read at a time.
const PAGE: u64 = 4096;
const DAY_MICROS: i64 = 86_400_000_000;

/// What the rows of one source in one UTC day come to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DayDigest {
    /// Who counted.
    pub source: SourceName,
    /// The start of the day.
    pub day: Timestamp,
    /// How many rows there are.
    pub rows: i64,
    /// The sums of their counts.
    pub counts: DeliveryCounts,
    /// Their digest.
    pub digest: DeliveryDigest,
}

#[derive(Default)]
struct Sum {
    rows: i64,
    counts: DeliveryCounts,
    digest: DeliveryDigest,
}

/// The digests of the hours from `from` until `until`, by source and day, and the seq at which they were read.
pub async fn digests(
    db: &Database,
    source: Option<&SourceName>,
    from: Timestamp,
    until: Timestamp,
) -> Result<(Vec<DayDigest>, i64), StorageError> {
    db.snapshot("delivery_digest", |txn| async move {
        let seq = head(&txn).await?.seq;
        let mut sums: BTreeMap<(SourceName, i64), Sum> = BTreeMap::new();
        let mut names = SourceNames::default();
        let end = least_id(until);
        let mut next = least_id(from);
        loop {
            let rows = page(&*txn, source, next, end, &mut names).await?;
            let full = u64::try_from(rows.len()).is_ok_and(|count| count == PAGE);
            if let Some((last, _)) = rows.last() {
                // Ids are numbers of 128 bits: the next one is one more.
                next = Uuid::from_u128(last.as_u128().saturating_add(1));
            }
            for (_, stored) in rows {
                add(&mut sums, stored);
            }
            if !full {
                break;
            }
        }
        Ok((sums.into_iter().map(day_digest).collect(), seq))
    })
    .await
}

fn add(sums: &mut BTreeMap<(SourceName, i64), Sum>, stored: StoredRow) {
    let row = stored.row;
    let digest = DeliveryDigest::of_row(&row.key, row.revision, &row.counts);
    let day = row.key.hour.micros().div_euclid(DAY_MICROS) * DAY_MICROS;
    let sum = sums.entry((row.key.source, day)).or_default();
    sum.rows += 1;
    sum.counts = sum.counts.plus(row.counts);
    sum.digest.add(digest);
}

fn day_digest(((source, day), sum): ((SourceName, i64), Sum)) -> DayDigest {
    DayDigest {
        source,
        day: Timestamp::from_micros(day),
        rows: sum.rows,
        counts: sum.counts,
        digest: sum.digest,
    }
}

async fn page<C: ConnectionTrait>(
    conn: &C,
    source: Option<&SourceName>,
    from: Uuid,
    end: Uuid,
    names: &mut SourceNames,
) -> Result<Vec<(Uuid, StoredRow)>, StorageError> {
    let mut select = Query::select();
    select
        .columns(columns())
        .from("delivery_rows")
        .and_where(Expr::col("id").gte(from))
        .and_where(Expr::col("id").lt(end))
        .order_by("id", Order::Asc)
        .limit(PAGE);
    if let Some(source) = source {
        select.and_where(Expr::col("source").eq(source.as_str()));
    }
    let results = conn.query_all(&select).await?;
    results
        .iter()
        .map(|result| StoredRow::read(result, names))
        .collect()
}
