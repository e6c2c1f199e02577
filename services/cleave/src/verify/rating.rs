//! The ratings, computed anew from delivery and compared with Billing's buckets.

use std::collections::BTreeMap;
use std::time::Duration;

use anyhow::{Context, Result};
use billing_client::BillingClient;
use billing_client::pb::{Charge, ListChargesRequest};
use billing_domain::bucket::{Basis, BucketKey, Measure};
use billing_domain::period::CivilDay;
use billing_domain::rating::{Amounts, rate_together};
use billing_domain::terms::PricingModel;
use cleave_kernel::LineItemId;
use futures::stream::TryStreamExt;
use jiff::tz::TimeZone;
use serde::Serialize;

use super::Difference;
use super::rows::{self, Delivery};
use crate::peers::Peers;

/// How often both sides are read again while Billing may still be rating.
const ATTEMPTS: u32 = 20;
/// The wait before they are read again.
const PAUSE: Duration = Duration::from_millis(500);

/// What was computed, and the first bucket that is not what it should be.
#[derive(Debug, Serialize)]
pub(super) struct RatingCheck {
    pub(super) rows: usize,
    pub(super) buckets: usize,
    pub(super) parked: usize,
    pub(super) difference: Option<Difference>,
}

/// Everything of one bucket that must agree, by the name of its field.
type Values = BTreeMap<&'static str, String>;

/// Compares both sides; again while they differ, for Billing follows delivery with a short lag.
pub(super) async fn check(peers: &Peers, zone: &TimeZone) -> Result<RatingCheck> {
    let mut check = check_once(peers, zone).await?;
    for _ in 1..ATTEMPTS {
        if check.difference.is_none() {
            break;
        }
        tokio::time::sleep(PAUSE).await;
        check = check_once(peers, zone).await?;
    }
    Ok(check)
}

async fn check_once(peers: &Peers, zone: &TimeZone) -> Result<RatingCheck> {
    let delivery = rows::read(peers).await?;
    let stored = stored(&peers.billing).await?;
    let mut check = RatingCheck {
        rows: delivery.rows.len(),
        buckets: stored.len(),
        parked: delivery.parked.len(),
        difference: None,
    };
    check.difference = match expected(&delivery, zone)? {
        Ok(expected) => first_difference(&expected, &stored),
        Err(difference) => Some(difference),
    };
    Ok(check)
}

/// Billing's buckets.
async fn stored(client: &BillingClient) -> Result<BTreeMap<BucketKey, Values>> {
    client
        .list_all_charges(ListChargesRequest::default())
        .map_err(anyhow::Error::from)
        .try_fold(BTreeMap::new(), |mut buckets, charge| {
            let inserted = of_charge(&charge).map(|(key, values)| {
                buckets.insert(key, values);
                buckets
            });
            std::future::ready(inserted)
        })
        .await
}

fn of_charge(charge: &Charge) -> Result<(BucketKey, Values)> {
    let key = BucketKey {
        line_item: charge.line_item_id.parse()?,
        terms_version: charge.terms_version,
        ad_unit: charge.ad_unit_id.parse()?,
        rev_share: charge.rev_share_id.parse()?,
        period: charge.period.parse()?,
    };
    let values = Values::from([
        ("advertiser", charge.advertiser_id.clone()),
        ("campaign", charge.campaign_id.clone()),
        ("publisher", charge.publisher_id.clone()),
        ("share_ppm", charge.share_ppm.to_string()),
        ("rows", charge.row_count.to_string()),
        ("quantity", charge.quantity.to_string()),
        ("served_micros", charge.served_micros.to_string()),
        ("billed_micros", charge.billed_micros.to_string()),
        (
            "overdelivered_micros",
            charge.overdelivered_micros.to_string(),
        ),
        ("earning_micros", charge.earning_micros.to_string()),
        ("revenue_micros", charge.revenue_micros.to_string()),
        ("cost_micros", charge.cost_micros.to_string()),
    ]);
    Ok((key, values))
}

type Buckets = BTreeMap<BucketKey, (Basis, Measure)>;

/// What the buckets should be, or the row that cannot be rated although it is not parked.
fn expected(
    delivery: &Delivery,
    zone: &TimeZone,
) -> Result<Result<BTreeMap<BucketKey, Values>, Difference>> {
    let mut line_items: BTreeMap<LineItemId, Buckets> = BTreeMap::new();
    for row in delivery
        .rows
        .iter()
        .filter(|(key, _)| !delivery.parked.contains(key))
    {
        if let Err(difference) = count(delivery, zone, row, &mut line_items)? {
            return Ok(Err(difference));
        }
    }
    let mut expected = BTreeMap::new();
    for buckets in line_items.values() {
        let rated = rate_together(buckets.values().map(|(basis, measure)| (basis, measure)));
        let rated: BTreeMap<_, _> = rated
            .context("an amount does not fit")?
            .into_iter()
            .collect();
        for (key, (basis, measure)) in buckets {
            let amounts = rated.get(&basis.id).copied().unwrap_or_default();
            expected.insert(*key, of_bucket(basis, measure, &amounts)?);
        }
    }
    Ok(Ok(expected))
}

/// Counts a row into its bucket.
fn count(
    delivery: &Delivery,
    zone: &TimeZone,
    (key, counts): &(
        billing_domain::delivery::DeliveryKey,
        billing_domain::delivery::DeliveryCounts,
    ),
    line_items: &mut BTreeMap<LineItemId, Buckets>,
) -> Result<Result<(), Difference>> {
    let missing = |what: &str| {
        Ok(Err(Difference {
            row: key.to_string(),
            field: what.to_owned(),
            expected: "known to Operations, or the row parked by Billing".to_owned(),
            found: "missing".to_owned(),
        }))
    };
    let Some(terms) = delivery.terms.get(&(key.line_item, key.terms_version)) else {
        return missing("terms");
    };
    let Some(share) = delivery.shares.get(&(key.ad_unit, key.hour)) else {
        return missing("revenue share");
    };
    let Some(quantity) = counts.billable(terms.model) else {
        return missing("billable quantity");
    };
    let day = CivilDay::of(key.hour, zone);
    let basis = Basis::new(terms.clone(), share.clone(), day.period);
    let buckets = line_items.entry(key.line_item).or_default();
    let (_, measure) = buckets
        .entry(basis.key)
        .or_insert_with(|| (basis, Measure::default()));
    measure.rows += 1;
    measure.quantity = measure
        .quantity
        .checked_add(quantity)
        .context("a sum does not fit")?;
    if terms.model == PricingModel::Cpd {
        measure.days.add(day.day, quantity)?;
    }
    Ok(Ok(()))
}

fn of_bucket(basis: &Basis, measure: &Measure, amounts: &Amounts) -> Result<Values> {
    let overdelivered = amounts.served.checked_sub(amounts.billed)?;
    Ok(Values::from([
        ("advertiser", basis.terms.advertiser.to_string()),
        ("campaign", basis.terms.campaign.to_string()),
        ("publisher", basis.rev_share.publisher.to_string()),
        ("share_ppm", basis.rev_share.share.get().to_string()),
        ("rows", measure.rows.to_string()),
        ("quantity", measure.quantity.to_string()),
        ("served_micros", amounts.served.get().to_string()),
        ("billed_micros", amounts.billed.get().to_string()),
        ("overdelivered_micros", overdelivered.get().to_string()),
        ("earning_micros", amounts.earned.get().to_string()),
        ("revenue_micros", amounts.revenue.get().to_string()),
        ("cost_micros", amounts.absorbed.get().to_string()),
    ]))
}

/// The first value, in the order of the keys, in which both sides differ.
fn first_difference(
    expected: &BTreeMap<BucketKey, Values>,
    stored: &BTreeMap<BucketKey, Values>,
) -> Option<Difference> {
    let keys: std::collections::BTreeSet<_> = expected.keys().chain(stored.keys()).collect();
    let difference = |key: &&BucketKey, field: &str, expected: &str, found: &str| Difference {
        row: key.to_string(),
        field: field.to_owned(),
        expected: expected.to_owned(),
        found: found.to_owned(),
    };
    for key in keys {
        match (expected.get(key), stored.get(key)) {
            (Some(expected), Some(stored)) => {
                for (field, value) in expected {
                    let found = stored.get(field).map_or("missing", String::as_str);
                    if found != value {
                        return Some(difference(&key, field, value, found));
                    }
                }
            }
            (Some(_), None) => return Some(difference(&key, "the bucket", "rated", "missing")),
            (None, Some(_)) => {
                return Some(difference(&key, "the bucket", "without delivery", "rated"));
            }
            (None, None) => {}
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;
    use billing_domain::delivery::{DeliveryCounts, DeliveryKey};
    use billing_domain::rev_share::RevShare;
    use billing_domain::terms::{OverdeliveryPolicy, Terms};
    use cleave_kernel::{
        AdUnitId, AdvertiserId, CampaignId, Currency, GameId, Ppm, PublisherId, RevShareId,
        Timestamp,
    };
    use std::sync::Arc;

    /// One row of 1000 impressions at the golden rate.
    fn delivery() -> Delivery {
        let (line_item, ad_unit) = (LineItemId::generate(), AdUnitId::generate());
        let hour = Timestamp::from_micros(1_767_225_600_000_000);
        let terms = Terms {
            line_item,
            version: 1,
            campaign: CampaignId::generate(),
            advertiser: AdvertiserId::generate(),
            currency: Currency::from_code("INR").expect("it is listed"),
            model: PricingModel::Cpm,
            rate: 1_234_567,
            unit: 1000,
            billing_cap: None,
            overdelivery: OverdeliveryPolicy::PlatformAbsorbs,
            effective_at: hour,
        };
        let share = RevShare {
            id: RevShareId::generate(),
            version: 1,
            ad_unit,
            game: GameId::generate(),
            publisher: PublisherId::generate(),
            share: Ppm::new(700_000).expect("it is a share"),
        };
        let key = DeliveryKey {
            source: "test".to_owned(),
            line_item,
            terms_version: 1,
            ad_unit,
            hour,
        };
        let counts = DeliveryCounts {
            impressions: 1000,
            ..DeliveryCounts::default()
        };
        let mut delivery = Delivery::default();
        delivery.rows.push((key, counts));
        delivery.terms.insert((line_item, 1), Arc::new(terms));
        delivery.shares.insert((ad_unit, hour), Arc::new(share));
        delivery
    }

    fn rate(delivery: &Delivery) -> Result<BTreeMap<BucketKey, Values>, Difference> {
        expected(delivery, &TimeZone::UTC).expect("the amounts fit")
    }

    #[test]
    fn a_micro_too_much_is_found_with_its_bucket() {
        let right = rate(&delivery());
        let right = right.expect("everything is known");
        assert_eq!(first_difference(&right, &right), None);

        let mut wrong = right.clone();
        let (key, values) = wrong.iter_mut().next().expect("there is a bucket");
        let key = key.to_string();
        values.insert("earning_micros", "864197".to_owned());
        let difference = first_difference(&right, &wrong).expect("they differ");
        assert_eq!(difference.row, key);
        assert_eq!(
            (difference.expected, difference.found),
            ("864196".to_owned(), "864197".to_owned())
        );
    }

    #[test]
    fn a_bucket_too_many_or_too_few_is_found() {
        let some = rate(&delivery()).expect("everything is known");
        let none = BTreeMap::new();
        let missing = first_difference(&some, &none).expect("they differ");
        assert_eq!(missing.found, "missing");
        let invented = first_difference(&none, &some).expect("they differ");
        assert_eq!(invented.expected, "without delivery");
    }

    #[test]
    fn a_row_without_terms_has_to_be_parked() {
        let mut delivery = delivery();
        delivery.terms.clear();
        let difference = rate(&delivery).expect_err("it cannot be rated");
        assert_eq!(difference.field, "terms");
        delivery.parked.insert(delivery.rows[0].0.clone());
        assert_eq!(rate(&delivery), Ok(BTreeMap::new()));
    }
}
