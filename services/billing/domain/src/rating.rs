//! What buckets come to: pure functions of their measures, used to rate and to verify.
//!
//! Nothing here knows what was rated before. A caller posts the difference between what a bucket comes to now and what
//! it came to, which is why order, batching and repetition cannot change a total, and why a correction downward
//! is an exact reversal.

use crate::bucket::{Basis, BucketId, Measure};
use crate::period::Period;
use crate::spread::spread;
use crate::terms::{OverdeliveryPolicy, PricingModel, Terms};
use cleave_kernel::{Micros, Overflow, Ppm};
use std::collections::{BTreeMap, BTreeSet};

/// What a bucket comes to. `billed = earned + revenue - absorbed`, and none of the five is negative.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Amounts {
    /// The worth of what was served.
    pub served: Micros,
    /// What of it is charged to the advertiser.
    pub billed: Micros,
    /// What the publisher earns.
    pub earned: Micros,
    /// What the platform keeps.
    pub revenue: Micros,
    /// What the platform pays the publisher beyond the publisher's part of what was billed.
    pub absorbed: Micros,
}

impl Amounts {
    /// The amounts that follow from served, billed and share.
    fn of(
        served: Micros,
        billed: Micros,
        share: Ppm,
        policy: OverdeliveryPolicy,
    ) -> Result<Self, Overflow> {
        let paid = share.of(billed)?;
        let earned = match policy {
            OverdeliveryPolicy::PlatformAbsorbs => share.of(served)?,
            OverdeliveryPolicy::CapBoth => paid,
        };
        Ok(Self {
            served,
            billed,
            earned,
            revenue: billed.checked_sub(paid)?,
            absorbed: earned.checked_sub(paid)?,
        })
    }

    /// What changed since `before`.
    ///
    /// # Errors
    /// When a difference does not fit.
    pub fn since(&self, before: &Self) -> Result<Self, Overflow> {
        Ok(Self {
            served: self.served.checked_sub(before.served)?,
            billed: self.billed.checked_sub(before.billed)?,
            earned: self.earned.checked_sub(before.earned)?,
            revenue: self.revenue.checked_sub(before.revenue)?,
            absorbed: self.absorbed.checked_sub(before.absorbed)?,
        })
    }

    /// The sum with `delta`.
    ///
    /// # Errors
    /// When a sum does not fit.
    pub fn plus(&self, delta: &Self) -> Result<Self, Overflow> {
        Ok(Self {
            served: self.served.checked_add(delta.served)?,
            billed: self.billed.checked_add(delta.billed)?,
            earned: self.earned.checked_add(delta.earned)?,
            revenue: self.revenue.checked_add(delta.revenue)?,
            absorbed: self.absorbed.checked_add(delta.absorbed)?,
        })
    }

    /// The part of the earning that the advertiser's money pays for.
    ///
    /// # Errors
    /// Never for amounts that were rated; the type is that of all arithmetic on money.
    pub fn paid(&self) -> Result<Micros, Overflow> {
        self.earned.checked_sub(self.absorbed)
    }
}

/// How far the rating of one row reaches.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub enum Reach {
    /// To its own bucket: the line item has prices per quantity alone.
    #[default]
    Bucket,
    /// To the buckets of the line item in the same month: a cap, or a price per day.
    Period,
    /// To every bucket of the line item: a price for the whole.
    LineItem,
}

impl Reach {
    /// How far it is under `terms`.
    pub fn of(terms: &Terms) -> Self {
        match terms.model {
            PricingModel::Flat => Self::LineItem,
            PricingModel::Cpd => Self::Period,
            _ if terms.billing_cap.is_some() => Self::Period,
            _ => Self::Bucket,
        }
    }

    /// The number that rows carry.
    pub const fn number(self) -> i16 {
        match self {
            Self::Bucket => 0,
            Self::Period => 1,
            Self::LineItem => 2,
        }
    }

    /// The reach behind a stored number; the farthest for one that is unknown.
    pub const fn from_number(number: i16) -> Self {
        match number {
            0 => Self::Bucket,
            1 => Self::Period,
            _ => Self::LineItem,
        }
    }
}

/// What a bucket comes to whose line item reaches no farther than [`Reach::Bucket`].
///
/// # Errors
/// When an amount does not fit.
pub fn rate_alone(basis: &Basis, quantity: i64) -> Result<Amounts, Overflow> {
    let served = Micros::rate(quantity, basis.terms.rate, basis.terms.unit)?;
    Amounts::of(
        served,
        served,
        basis.rev_share.share,
        basis.terms.overdelivery,
    )
}

/// What the buckets of one line item come to, by bucket. All buckets must be there that the line item's [`Reach`]
/// covers: those of whole months, or all.
///
/// # Errors
/// When an amount does not fit.
pub fn rate_together<'a>(
    buckets: impl IntoIterator<Item = (&'a Basis, &'a Measure)>,
) -> Result<Vec<(BucketId, Amounts)>, Overflow> {
    let mut buckets: Vec<_> = buckets.into_iter().collect();
    buckets.sort_unstable_by_key(|(basis, _)| basis.key);
    let served = served(&buckets)?;
    let mut billed = served.clone();
    for members in groups(&buckets, |basis| basis.key.period) {
        cap(&buckets, &members, &served, &mut billed)?;
    }
    let rate = |((basis, _), (served, billed)): (&Rated<'_>, (Micros, Micros))| {
        let share = basis.rev_share.share;
        Amounts::of(served, billed, share, basis.terms.overdelivery)
            .map(|amounts| (basis.id, amounts))
    };
    let amounts = served.into_iter().zip(billed);
    buckets.iter().zip(amounts).map(rate).collect()
}

type Rated<'a> = (&'a Basis, &'a Measure);

/// What each bucket served is worth, before any cap.
fn served(buckets: &[Rated<'_>]) -> Result<Vec<Micros>, Overflow> {
    let mut served = vec![Micros::ZERO; buckets.len()];
    for members in groups(buckets, |basis| basis.key.terms_version) {
        let terms = &buckets[members[0]].0.terms;
        match terms.model {
            PricingModel::Flat => {
                let due = members.iter().any(|i| buckets[*i].1.quantity > 0);
                let total = if due { terms.rate } else { 0 };
                divide(Micros::new(total), buckets, &members, &mut served)?;
            }
            PricingModel::Cpd => charge_days(terms, buckets, &members, &mut served)?,
            _ => {
                for i in members {
                    served[i] = Micros::rate(buckets[i].1.quantity, terms.rate, terms.unit)?;
                }
            }
        }
    }
    Ok(served)
}

/// The fee for the distinct days of each month.
fn charge_days(
    terms: &Terms,
    buckets: &[Rated<'_>],
    members: &[usize],
    served: &mut [Micros],
) -> Result<(), Overflow> {
    let mut months: BTreeMap<Period, Vec<usize>> = BTreeMap::new();
    for i in members {
        months.entry(buckets[*i].0.key.period).or_default().push(*i);
    }
    for members in months.into_values() {
        let days: BTreeSet<_> = members
            .iter()
            .flat_map(|i| buckets[*i].1.days.days())
            .collect();
        let days = i64::try_from(days.len()).map_err(|_| Overflow)?;
        divide(
            Micros::rate(days, terms.rate, 1)?,
            buckets,
            &members,
            served,
        )?;
    }
    Ok(())
}

/// Divides a fee over buckets in proportion to what each delivered.
fn divide(
    fee: Micros,
    buckets: &[Rated<'_>],
    members: &[usize],
    served: &mut [Micros],
) -> Result<(), Overflow> {
    let weights: Vec<_> = members.iter().map(|i| buckets[*i].1.quantity).collect();
    for (i, part) in members.iter().zip(spread(fee, &weights)?) {
        served[*i] = part;
    }
    Ok(())
}

/// Limits what the buckets of one month bill together. The cap in force is that of the latest terms delivered there.
fn cap(
    buckets: &[Rated<'_>],
    members: &[usize],
    served: &[Micros],
    billed: &mut [Micros],
) -> Result<(), Overflow> {
    let latest = members
        .iter()
        .map(|i| &buckets[*i].0.terms)
        .max_by_key(|t| t.version);
    let Some(cap) = latest.and_then(|terms| terms.billing_cap) else {
        return Ok(());
    };
    let worth: Vec<_> = members.iter().map(|i| served[*i].get()).collect();
    let sum: i128 = worth.iter().copied().map(i128::from).sum();
    if sum <= i128::from(cap.get()) {
        return Ok(());
    }
    for (index, part) in members.iter().zip(spread(cap, &worth)?) {
        billed[*index] = part;
    }
    Ok(())
}

/// The places of the buckets of each group; within a group in the order of the bucket keys.
fn groups<K: Ord>(buckets: &[Rated<'_>], of: impl Fn(&Basis) -> K) -> Vec<Vec<usize>> {
    let mut groups: BTreeMap<K, Vec<usize>> = BTreeMap::new();
    for (index, (basis, _)) in buckets.iter().enumerate() {
        groups.entry(of(basis)).or_default().push(index);
    }
    groups.into_values().collect()
}
