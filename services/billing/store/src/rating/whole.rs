//! Buckets with all that they are rated by, from the projection of terms and revenue shares.

use crate::error::StoreError;
use crate::row::{bucket, bucket_total, rev_share, terms};
use billing_domain::Period;
use billing_domain::bucket::{Basis, Bucket};
use sea_orm::QueryResult;
use sea_orm::sea_query::{Expr, ExprTrait, JoinType, Query, SelectStatement};
use std::sync::Arc;

/// Where the columns of each table begin.
const TERMS: usize = bucket_total::COLUMNS.len();
const REV_SHARE: usize = TERMS + terms::COLUMNS.len();
const PERIOD: usize = REV_SHARE + rev_share::COLUMNS.len();

/// All buckets.
pub(crate) fn select() -> SelectStatement {
    let mut select = Query::select();
    for column in bucket_total::COLUMNS {
        select.column((bucket_total::TABLE, column));
    }
    for column in terms::COLUMNS {
        select.column((terms::TABLE, column));
    }
    for column in rev_share::COLUMNS {
        select.column((rev_share::TABLE, column));
    }
    let same = |table, column, of| Expr::col((table, column)).equals((bucket::TABLE, of));
    let terms_of = same(terms::TABLE, "line_item_id", "line_item_id").and(same(
        terms::TABLE,
        "version",
        "terms_version",
    ));
    let share_of = same(rev_share::TABLE, "rev_share_id", "rev_share_id").and(same(
        rev_share::TABLE,
        "ad_unit_id",
        "ad_unit_id",
    ));
    select
        .column((bucket::TABLE, "period"))
        .from(bucket::TABLE)
        .join(
            JoinType::InnerJoin,
            bucket_total::TABLE,
            same(bucket_total::TABLE, "id", "id"),
        )
        .join(JoinType::InnerJoin, terms::TABLE, terms_of)
        .join(JoinType::InnerJoin, rev_share::TABLE, share_of);
    select
}

/// Reads a row of [`select`].
pub(crate) fn read(row: &QueryResult) -> Result<Bucket, StoreError> {
    let total = bucket_total::read(row, 0)?;
    let terms = Arc::new(terms::read(row, TERMS)?);
    let share = Arc::new(rev_share::read(row, REV_SHARE)?);
    let period = Period::from_index(row.try_get_by_index(PERIOD)?);
    let basis = Arc::new(Basis::new(terms, share, period));
    if basis.id != total.id {
        let (found, id) = (basis.key, total.id.uuid());
        return Err(StoreError::corrupt(format!(
            "bucket {id} stands under {found}"
        )));
    }
    Ok(total.with(basis))
}
