//! What new rows change about one line item: its buckets anew, and the difference to what they came to before.

use crate::bucket::{Basis, Bucket, BucketId, Measure};
use crate::catalogue::PreparedRow;
use crate::funding::Funding;
use crate::rating::{Amounts, Reach, rate_alone, rate_together};
use crate::rating_set::{LineItemTotals, RatedRow, RatingSet};
use crate::terms::PricingModel;
use cleave_kernel::{AccountId, LineItemId, Overflow, Timestamp};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

/// A row that may be rated.
#[derive(Debug, Clone)]
pub(crate) struct AdmittedRow<'a> {
    pub(crate) row: &'a PreparedRow,
    pub(crate) basis: &'a Arc<Basis>,
    pub(crate) quantity: i64,
}

/// A line item after new rows.
#[derive(Debug, Clone)]
pub(crate) struct Revaluation {
    /// The rows as rated now.
    pub(crate) rows: Vec<RatedRow>,
    /// The buckets that changed.
    pub(crate) buckets: Vec<Bucket>,
    /// The line item; its funding is still that of before.
    pub(crate) totals: LineItemTotals,
    /// The account that is charged.
    pub(crate) advertiser: AccountId,
    /// By how much all its buckets changed.
    pub(crate) delta: Amounts,
    /// The same for each account that earns.
    pub(crate) earnings: BTreeMap<AccountId, Amounts>,
}

impl Revaluation {
    /// What `rows`, all of one line item with the basis `first`, each named once, change.
    pub(crate) fn of(
        set: &RatingSet,
        first: &Basis,
        rows: &[AdmittedRow<'_>],
        now: Timestamp,
    ) -> Result<Self, Overflow> {
        let mut touched = BTreeMap::new();
        let mut rated = Vec::with_capacity(rows.len());
        for row in rows {
            rated.push(measure(set, &mut touched, row)?);
        }
        let mut totals = totals(set, first);
        let reach = rows.iter().map(|row| Reach::of(&row.basis.terms)).max();
        totals.reach = totals.reach.max(reach.unwrap_or_default());
        let amounts = amounts(set, totals.line_item, totals.reach, &touched)?;
        let mut changed = Self {
            rows: rated,
            buckets: Vec::with_capacity(touched.len()),
            totals,
            advertiser: first.advertiser,
            delta: Amounts::default(),
            earnings: BTreeMap::new(),
        };
        for (id, amounts) in amounts {
            changed.add(set, id, amounts, &mut touched, now)?;
        }
        changed.totals.amounts = changed.totals.amounts.plus(&changed.delta)?;
        Ok(changed)
    }

    fn add(
        &mut self,
        set: &RatingSet,
        id: BucketId,
        amounts: Amounts,
        touched: &mut Touched,
        updated_at: Timestamp,
    ) -> Result<(), Overflow> {
        let stored = set.bucket(id);
        let before = stored.map(|bucket| bucket.amounts).unwrap_or_default();
        let (basis, measure) = match (touched.remove(&id), stored) {
            (Some(touched), _) => touched,
            (None, Some(stored)) if before != amounts => {
                (Arc::clone(&stored.basis), stored.measure.clone())
            }
            (None, _) => return Ok(()),
        };
        let delta = amounts.since(&before)?;
        self.delta = self.delta.plus(&delta)?;
        let earning = self.earnings.entry(basis.publisher).or_default();
        *earning = earning.plus(&delta)?;
        self.buckets.push(Bucket {
            basis,
            measure,
            amounts,
            updated_at,
        });
        Ok(())
    }
}

type Touched = BTreeMap<BucketId, (Arc<Basis>, Measure)>;

/// Counts the row into its bucket in place of its revision before.
fn measure(
    set: &RatingSet,
    touched: &mut Touched,
    row: &AdmittedRow<'_>,
) -> Result<RatedRow, Overflow> {
    let before = set.row(row.row.id);
    let (_, measure) = touched.entry(row.basis.id).or_insert_with(|| {
        let stored = set.bucket(row.basis.id);
        let measure = stored.map(|bucket| bucket.measure.clone());
        (Arc::clone(row.basis), measure.unwrap_or_default())
    });
    let delta = row
        .quantity
        .checked_sub(before.map_or(0, |before| before.quantity))
        .ok_or(Overflow)?;
    measure.quantity = measure.quantity.checked_add(delta).ok_or(Overflow)?;
    measure.rows += i64::from(before.is_none());
    if row.basis.terms.model == PricingModel::Cpd {
        measure.days.add(row.row.day, delta)?;
    }
    Ok(RatedRow {
        id: row.row.id,
        bucket: row.basis.id,
        source: row.row.row.key.source.clone(),
        hour: row.row.row.key.hour,
        revision: row.row.row.revision,
        quantity: row.quantity,
    })
}

/// The totals of the line item so far.
fn totals(set: &RatingSet, basis: &Basis) -> LineItemTotals {
    let terms = &basis.terms;
    set.line_item(terms.line_item)
        .cloned()
        .unwrap_or_else(|| LineItemTotals {
            line_item: terms.line_item,
            campaign: terms.campaign,
            advertiser: terms.advertiser,
            currency: terms.currency,
            reach: Reach::Bucket,
            amounts: Amounts::default(),
            funding: Funding::default(),
            unfunded_since: None,
        })
}

/// What every bucket within reach comes to.
fn amounts(
    set: &RatingSet,
    line_item: LineItemId,
    reach: Reach,
    touched: &Touched,
) -> Result<Vec<(BucketId, Amounts)>, Overflow> {
    if reach == Reach::Bucket {
        let rate = |(id, (basis, measure)): (&BucketId, &(Arc<Basis>, Measure))| {
            rate_alone(basis, measure.quantity).map(|amounts| (*id, amounts))
        };
        return touched.iter().map(rate).collect();
    }
    let periods: BTreeSet<_> = touched.values().map(|(b, _)| b.key.period).collect();
    let within = |bucket: &&Bucket| {
        let covered = reach == Reach::LineItem || periods.contains(&bucket.basis.key.period);
        covered && !touched.contains_key(&bucket.basis.id)
    };
    let others = set.buckets_of(line_item).filter(within);
    let others = others.map(|bucket| (&*bucket.basis, &bucket.measure));
    let touched = touched.values().map(|(basis, measure)| (&**basis, measure));
    rate_together(others.chain(touched))
}
