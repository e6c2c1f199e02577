//! The proof that every bucket is what its rows come to: all of them are summed and rated again, by the same functions
//! that rated them, and compared with what is stored.

use crate::error::StoreError;
use crate::rating::whole;
use crate::row::{self, bucket, bucket_total, line_item, rated_row};
use crate::verify::{FindingKind, Phase, Report, Reports, Summary, differs, found, tell};
use crate::verify_funding::Earned;
use billing_domain::bucket::{Bucket, BucketId, Measure};
use billing_domain::period::CivilDay;
use billing_domain::rating::{Amounts, rate_together};
use billing_domain::rating_set::LineItemTotals;
use billing_domain::terms::PricingModel;
use cleave_kernel::{LineItemId, Micros};
use cleave_storage::padded;
use jiff::tz::TimeZone;
use sea_orm::sea_query::{Expr, ExprTrait, Order, Query};
use sea_orm::{ConnectionTrait, DatabaseTransaction};
use std::collections::{BTreeMap, HashMap, HashSet};
use uuid::Uuid;

/// Rows read at a time.
const ROWS: u64 = 5000;
/// Line items read at a time.
const LINE_ITEMS: u64 = 256;

type Measures = HashMap<BucketId, Measure>;

/// Rates everything again. Answers what is earned by it, to compare with the ledger.
pub(crate) async fn verify_rating(
    txn: &DatabaseTransaction,
    zone: &TimeZone,
    reports: &Reports,
    summary: &mut Summary,
) -> Result<Earned, StoreError> {
    let total = count(txn, bucket_total::TABLE).await?;
    let mut measures = measure(txn, zone, summary).await?;
    let mut earned = Earned::default();
    let mut after = Uuid::nil();
    loop {
        let page = row::select(line_item::TABLE, line_item::COLUMNS)
            .and_where(Expr::col("id").gt(after))
            .order_by("id", Order::Asc)
            .limit(LINE_ITEMS)
            .to_owned();
        let page = txn.query_all(&page).await?;
        let totals = page.iter().map(line_item::read);
        let totals = totals.collect::<Result<Vec<_>, _>>()?;
        let Some(last) = totals.last() else {
            break;
        };
        after = last.line_item.uuid();
        let mut buckets = buckets_of(txn, &totals).await?;
        for totals in totals {
            let buckets = buckets.remove(&totals.line_item).unwrap_or_default();
            summary.buckets += i64::try_from(buckets.len()).unwrap_or(i64::MAX);
            compare_buckets(&buckets, &mut measures, reports).await;
            compare_totals(&totals, &buckets, reports).await?;
            earned.add(&totals, &buckets);
        }
        let progress = Report::Progress {
            phase: Phase::Buckets,
            done: summary.buckets,
            total,
        };
        tell(reports, progress).await;
    }
    if summary.buckets != total {
        let difference = differs("count", summary.buckets, total);
        let subject = "buckets without line item, terms or revenue share";
        let report = found(FindingKind::BucketMismatch, &subject, difference);
        tell(reports, report).await;
    }
    for (id, measure) in measures {
        let difference = differs("row_count", measure.rows, "no bucket");
        let report = found(FindingKind::BucketMismatch, &id.uuid(), difference);
        tell(reports, report).await;
    }
    Ok(earned)
}

async fn count(txn: &DatabaseTransaction, table: &'static str) -> Result<i64, StoreError> {
    let select = Query::select()
        .expr(Expr::col("id").count())
        .from(table)
        .to_owned();
    match txn.query_one(&select).await? {
        Some(row) => Ok(row.try_get_by_index(0)?),
        None => Ok(0),
    }
}

/// What the rows of each bucket sum to.
async fn measure(
    txn: &DatabaseTransaction,
    zone: &TimeZone,
    summary: &mut Summary,
) -> Result<Measures, StoreError> {
    let daily = daily_buckets(txn).await?;
    let mut measures = Measures::new();
    let mut after = Uuid::nil();
    loop {
        let page = row::select(rated_row::TABLE, rated_row::COLUMNS)
            .and_where(Expr::col("id").gt(after))
            .order_by("id", Order::Asc)
            .limit(ROWS)
            .to_owned();
        let page = txn.query_all(&page).await?;
        let Some(last) = page.last() else {
            return Ok(measures);
        };
        after = last.try_get_by_index(0)?;
        for row in &page {
            let row = rated_row::read(row)?;
            let measure = measures.entry(row.bucket).or_default();
            measure.rows += 1;
            summary.rows += 1;
            // A sum that wraps differs from the stored one, which never does.
            measure.quantity = measure.quantity.wrapping_add(row.quantity);
            if daily.contains(&row.bucket) {
                let day = CivilDay::of(row.hour, zone).day;
                let added = measure.days.add(day, row.quantity);
                added.map_err(|error| StoreError::corrupt(error.to_string()))?;
            }
        }
    }
}

/// The buckets that are charged by the day.
async fn daily_buckets(txn: &DatabaseTransaction) -> Result<HashSet<BucketId>, StoreError> {
    let select = whole::select()
        .and_where(Expr::col("model").eq(PricingModel::Cpd.number()))
        .to_owned();
    let rows = txn.query_all(&select).await?;
    rows.iter()
        .map(|row| Ok(whole::read(row)?.basis.id))
        .collect()
}

async fn buckets_of(
    txn: &DatabaseTransaction,
    line_items: &[LineItemTotals],
) -> Result<BTreeMap<LineItemId, Vec<Bucket>>, StoreError> {
    let ids = padded(line_items.iter().map(|item| item.line_item.uuid()));
    let select = whole::select()
        .and_where(Expr::col((bucket::TABLE, "line_item_id")).is_in(ids))
        .to_owned();
    let mut buckets: BTreeMap<_, Vec<_>> = BTreeMap::new();
    for row in txn.query_all(&select).await? {
        let bucket = whole::read(&row)?;
        let line_item = bucket.basis.key.line_item;
        buckets.entry(line_item).or_default().push(bucket);
    }
    Ok(buckets)
}

/// The buckets of one line item against the formula over their rows.
async fn compare_buckets(buckets: &[Bucket], measures: &mut Measures, reports: &Reports) {
    let kind = FindingKind::BucketMismatch;
    let mut summed = Vec::with_capacity(buckets.len());
    for bucket in buckets {
        let measure = measures.remove(&bucket.basis.id).unwrap_or_default();
        let pairs = [
            ("quantity", measure.quantity, bucket.measure.quantity),
            ("row_count", measure.rows, bucket.measure.rows),
        ];
        for (field, should, is) in pairs {
            if should != is {
                let difference = differs(field, should, is);
                tell(reports, found(kind, &bucket.basis.key, difference)).await;
            }
        }
        if measure.days != bucket.measure.days {
            let difference = differs("days", measure.days.encode(), bucket.measure.days.encode());
            tell(reports, found(kind, &bucket.basis.key, difference)).await;
        }
        summed.push((&*bucket.basis, measure));
    }
    let again = rate_together(summed.iter().map(|(basis, measure)| (*basis, measure)));
    let again: HashMap<_, _> = match again {
        Ok(amounts) => amounts.into_iter().collect(),
        Err(error) => {
            if let Some(bucket) = buckets.first() {
                let difference = differs("amounts", error, "amounts that fit");
                tell(reports, found(kind, &bucket.basis.key, difference)).await;
            }
            return;
        }
    };
    for bucket in buckets {
        let should = again.get(&bucket.basis.id).copied().unwrap_or_default();
        for (field, should, is) in pairs(&should, &bucket.amounts) {
            if should != is {
                let difference = differs(field, should, is);
                tell(reports, found(kind, &bucket.basis.key, difference)).await;
            }
        }
    }
}

/// The totals of a line item against the sum of its buckets, and what was funded against what was billed.
async fn compare_totals(
    totals: &LineItemTotals,
    buckets: &[Bucket],
    reports: &Reports,
) -> Result<(), StoreError> {
    let overflow = |error: cleave_kernel::Overflow| StoreError::corrupt(error.to_string());
    let mut sum = Amounts::default();
    for bucket in buckets {
        sum = sum.plus(&bucket.amounts).map_err(overflow)?;
    }
    for (field, should, is) in pairs(&sum, &totals.amounts) {
        if should != is {
            let difference = differs(field, should, is);
            let report = found(FindingKind::BucketMismatch, &totals.line_item, difference);
            tell(reports, report).await;
        }
    }
    let funded = totals.funding.billed().map_err(overflow)?;
    if funded != totals.amounts.billed {
        let difference = differs("billed", totals.amounts.billed, funded);
        let report = found(FindingKind::FundingMismatch, &totals.line_item, difference);
        tell(reports, report).await;
    }
    Ok(())
}

fn pairs(should: &Amounts, is: &Amounts) -> [(&'static str, Micros, Micros); 5] {
    [
        ("served", should.served, is.served),
        ("billed", should.billed, is.billed),
        ("earned", should.earned, is.earned),
        ("revenue", should.revenue, is.revenue),
        ("absorbed", should.absorbed, is.absorbed),
    ]
}
