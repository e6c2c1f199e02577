//! Writes back what a batch rated.

use super::DELIVERY;
use crate::error::StoreError;
use crate::row::{
    self, IfThere, bucket, bucket_total, line_item, parked_row, rated_row, rev_share, terms,
    unreadable_row, written_off_row,
};
use billing_domain::Work;
use billing_domain::delivery::RowId;
use billing_domain::rating_set::{Changes, Progress, RatingSet};
use cleave_kernel::Timestamp;
use cleave_storage::padded;
use sea_orm::sea_query::{Expr, ExprTrait, Query};
use sea_orm::{ConnectionTrait, DatabaseTransaction};
use std::collections::{BTreeMap, BTreeSet, HashMap};

/// Writes everything that changed in `work.rating`.
pub(crate) async fn save(txn: &DatabaseTransaction, work: &Work) -> Result<(), StoreError> {
    let (set, changes) = (&work.rating, work.rating.changes());
    let rows = changes.rows.iter().filter_map(|id| set.row(*id));
    let rows = rows.map(rated_row::values).collect();
    row::write(
        txn,
        rated_row::TABLE,
        rated_row::COLUMNS,
        rows,
        IfThere::Replace,
    )
    .await?;
    save_new_buckets(txn, set, changes).await?;
    let totals = changes.buckets.iter().filter_map(|id| set.bucket(*id));
    let totals = totals.map(bucket_total::values).collect();
    let (table, columns) = (bucket_total::TABLE, bucket_total::COLUMNS);
    row::write(txn, table, columns, totals, IfThere::Replace).await?;
    let items = changes
        .line_items
        .iter()
        .filter_map(|id| set.line_item(*id));
    let items = items.map(line_item::values).collect();
    row::write(
        txn,
        line_item::TABLE,
        line_item::COLUMNS,
        items,
        IfThere::Replace,
    )
    .await?;
    save_parked(txn, set, changes).await?;
    match &changes.progress {
        Some(progress) => save_progress(txn, progress, work.now()).await,
        None => Ok(()),
    }
}

/// What a bucket is and what it is rated by never changes, so each is written once. What a parked row would be rated by
/// is kept likewise, for whoever has to decide about it.
async fn save_new_buckets(
    txn: &DatabaseTransaction,
    set: &RatingSet,
    changes: &Changes,
) -> Result<(), StoreError> {
    let new: Vec<_> = changes
        .new_buckets
        .iter()
        .filter_map(|id| set.bucket(*id))
        .collect();
    let rows = new.iter().map(|new| bucket::values(&new.basis)).collect();
    row::write(txn, bucket::TABLE, bucket::COLUMNS, rows, IfThere::Keep).await?;
    let mut versions = BTreeMap::new();
    let mut shares = HashMap::new();
    let parked = changes.bases.values();
    for basis in new.into_iter().map(|bucket| &bucket.basis).chain(parked) {
        versions.insert((basis.key.line_item, basis.key.terms_version), &basis.terms);
        shares.insert((basis.key.rev_share, basis.key.ad_unit), &basis.rev_share);
    }
    let rows = versions.into_values().map(|v| terms::values(v)).collect();
    row::write(txn, terms::TABLE, terms::COLUMNS, rows, IfThere::Keep).await?;
    let rows = shares.into_values().map(|s| rev_share::values(s)).collect();
    Ok(row::write(
        txn,
        rev_share::TABLE,
        rev_share::COLUMNS,
        rows,
        IfThere::Keep,
    )
    .await?)
}

async fn save_parked(
    txn: &DatabaseTransaction,
    set: &RatingSet,
    changes: &Changes,
) -> Result<(), StoreError> {
    let parked = changes.parked.iter();
    let parked = parked.filter_map(|id| Some(parked_row::values(*id, set.parked(*id)?)));
    let rows = parked.collect::<Result<_, _>>()?;
    row::write(
        txn,
        parked_row::TABLE,
        parked_row::COLUMNS,
        rows,
        IfThere::Replace,
    )
    .await?;
    delete(txn, parked_row::TABLE, &changes.unparked).await?;
    let unreadable = changes.unreadable.iter();
    let unreadable = unreadable.filter_map(|id| set.unreadable(*id));
    let rows = unreadable.map(unreadable_row::values).collect();
    let (table, columns) = (unreadable_row::TABLE, unreadable_row::COLUMNS);
    row::write(txn, table, columns, rows, IfThere::Replace).await?;
    delete(txn, unreadable_row::TABLE, &changes.released).await?;
    let written_off = changes.written_off.iter();
    let rows = written_off.map(written_off_row::values).collect();
    let (table, columns) = (written_off_row::TABLE, written_off_row::COLUMNS);
    Ok(row::write(txn, table, columns, rows, IfThere::Fail).await?)
}

async fn delete(
    txn: &DatabaseTransaction,
    table: &'static str,
    rows: &BTreeSet<RowId>,
) -> Result<(), StoreError> {
    let keys: Vec<_> = rows.iter().map(|id| id.uuid()).collect();
    for chunk in keys.chunks(row::KEYS_TOGETHER) {
        let delete = Query::delete()
            .from_table(table)
            .and_where(Expr::col("id").is_in(padded(chunk.iter().copied())))
            .to_owned();
        txn.execute(&delete).await?;
    }
    Ok(())
}

async fn save_progress(
    txn: &DatabaseTransaction,
    progress: &Progress,
    now: Timestamp,
) -> Result<(), StoreError> {
    let cursor = [
        DELIVERY.into(),
        progress.resume_token.clone().into(),
        progress.revision.into(),
        progress.as_of.micros().into(),
        now.micros().into(),
    ];
    let columns = ["name", "resume_token", "revision", "as_of", "updated_at"];
    row::write(
        txn,
        "rating_cursor",
        columns,
        vec![cursor],
        IfThere::Replace,
    )
    .await?;
    if progress.watermarks.is_empty() {
        return Ok(());
    }
    let known = watermarks(txn).await?;
    let ahead = progress
        .watermarks
        .iter()
        .filter(|(source, through)| known.get(*source).is_none_or(|known| known < through));
    let rows = ahead
        .map(|(source, through)| {
            [
                source.clone().into(),
                through.micros().into(),
                now.micros().into(),
            ]
        })
        .collect();
    let columns = ["source", "complete_through", "updated_at"];
    Ok(row::write(txn, "watermarks", columns, rows, IfThere::Replace).await?)
}

/// How far each source has reported completely.
pub(crate) async fn watermarks(
    conn: &impl ConnectionTrait,
) -> Result<BTreeMap<String, Timestamp>, StoreError> {
    let select = row::select("watermarks", ["source", "complete_through"]);
    let rows = conn.query_all(&select).await?;
    let read = |row: &sea_orm::QueryResult| {
        let through = Timestamp::from_micros(row.try_get_by_index(1)?);
        Ok((row.try_get_by_index(0)?, through))
    };
    rows.iter().map(read).collect()
}
