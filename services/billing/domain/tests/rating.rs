//! Rating against the golden vectors and its invariants.

#![allow(
    clippy::unwrap_used,
    reason = "a helper of tests: what fails here fails the test"
)]

use billing_domain::bucket::{Basis, Measure};
use billing_domain::period::Period;
use billing_domain::rating::{Amounts, rate_alone, rate_together};
use billing_domain::rev_share::RevShare;
use billing_domain::terms::{OverdeliveryPolicy, PricingModel, Terms};
use cleave_kernel::{
    AdUnitId, AdvertiserId, CampaignId, Currency, GameId, LineItemId, Micros, Overflow, Ppm,
    PublisherId, RevShareId, Timestamp,
};
use proptest::prelude::*;
use std::collections::BTreeMap;
use std::sync::Arc;
use uuid::Uuid;

fn terms(model: PricingModel, rate: i64, unit: i64) -> Terms {
    Terms {
        line_item: LineItemId::from_uuid(Uuid::from_u128(1)),
        version: 1,
        campaign: CampaignId::from_uuid(Uuid::from_u128(2)),
        advertiser: AdvertiserId::from_uuid(Uuid::from_u128(3)),
        currency: Currency::from_code("INR").unwrap(),
        model,
        rate,
        unit,
        billing_cap: None,
        overdelivery: OverdeliveryPolicy::PlatformAbsorbs,
        effective_at: Timestamp::EPOCH,
    }
}

fn share(ppm: u32, unit: u128) -> RevShare {
    RevShare {
        id: RevShareId::from_uuid(Uuid::from_u128(4)),
        version: 1,
        ad_unit: AdUnitId::from_uuid(Uuid::from_u128(unit)),
        game: GameId::from_uuid(Uuid::from_u128(5)),
        publisher: PublisherId::from_uuid(Uuid::from_u128(6)),
        share: Ppm::new(ppm).unwrap(),
    }
}

fn basis(terms: &Terms, ppm: u32, unit: u128, month: i32) -> Basis {
    let share = Arc::new(share(ppm, unit));
    Basis::new(Arc::new(terms.clone()), share, Period::from_index(month))
}

fn quantity(quantity: i64) -> Measure {
    Measure {
        quantity,
        rows: 1,
        ..Measure::default()
    }
}

fn days(counts: &[(u8, i64)]) -> Measure {
    let mut measure = quantity(counts.iter().map(|(_, n)| n).sum());
    for (day, count) in counts {
        measure.days.add(*day, *count).unwrap();
    }
    measure
}

fn together(buckets: &[(Basis, Measure)]) -> Result<Vec<Amounts>, Overflow> {
    let rated: BTreeMap<_, _> = rate_together(buckets.iter().map(|(b, m)| (b, m)))?
        .into_iter()
        .collect();
    Ok(buckets.iter().map(|(b, _)| rated[&b.id]).collect())
}

fn g1() -> Basis {
    basis(
        &terms(PricingModel::Cpm, 1_234_567, 1000),
        700_000,
        7,
        24_322,
    )
}

fn at(n: i64) -> Amounts {
    rate_alone(&g1(), n).unwrap()
}

#[test]
fn golden_1_charge_and_share_are_floors_of_the_whole() {
    let n = [1, 2, 3, 999, 1000, 1001];
    let served = n.map(|n| at(n).served.get());
    let earned = n.map(|n| at(n).earned.get());
    assert_eq!(served, [1234, 2469, 3703, 1_233_332, 1_234_567, 1_235_801]);
    assert_eq!(earned, [863, 1728, 2592, 863_332, 864_196, 865_060]);
}

#[test]
fn golden_2_batches_sum_to_the_whole() {
    let steps = [0, 333, 666, 1000].map(at);
    let deltas: Vec<_> = steps
        .windows(2)
        .map(|w| w[1].since(&w[0]).unwrap())
        .collect();
    let billed: Vec<_> = deltas.iter().map(|d| d.billed.get()).collect();
    let earned: Vec<_> = deltas.iter().map(|d| d.earned.get()).collect();
    assert_eq!(billed, [411_110, 411_111, 412_346]);
    assert_eq!(earned, [287_777, 287_777, 288_642]);
}

#[test]
fn golden_3_a_lower_revision_of_the_count_reverses_exactly() {
    let delta = at(940).since(&at(1000)).unwrap();
    assert_eq!(
        (delta.billed.get(), delta.earned.get(), delta.revenue.get()),
        (-74_075, -51_852, -22_223)
    );
}

#[test]
fn golden_4_a_cap_bills_no_more_and_its_room_bills_again() {
    let mut capped = terms(PricingModel::Cpm, 1_234_567, 1000);
    capped.billing_cap = Some(Micros::new(1_200_000));
    let rate = |n| together(&[(basis(&capped, 700_000, 7, 1), quantity(n))]).unwrap()[0];
    let over = |a: Amounts| a.served.checked_sub(a.billed).unwrap().get();
    assert_eq!(
        (rate(1000).billed.get(), over(rate(1000))),
        (1_200_000, 34_567)
    );
    assert_eq!((rate(940).billed.get(), over(rate(940))), (1_160_492, 0));
    assert_eq!(rate(1000).earned.get(), 864_196, "the platform absorbs");
    capped.overdelivery = OverdeliveryPolicy::CapBoth;
    let both = together(&[(basis(&capped, 700_000, 7, 1), quantity(1000))]).unwrap()[0];
    assert_eq!((both.earned.get(), both.absorbed.get()), (840_000, 0));
}

#[test]
fn a_cap_holds_for_each_month_and_the_latest_terms_set_it() {
    let mut first = terms(PricingModel::Cpc, 10, 1);
    first.billing_cap = Some(Micros::new(50));
    let mut second = first.clone();
    (second.version, second.billing_cap) = (2, Some(Micros::new(70)));
    let rated = together(&[
        (basis(&first, 0, 7, 1), quantity(10)),
        (basis(&second, 0, 7, 1), quantity(10)),
        (basis(&first, 0, 7, 2), quantity(10)),
    ])
    .unwrap();
    let billed: Vec<_> = rated.iter().map(|a| a.billed.get()).collect();
    assert_eq!(billed, [35, 35, 50]);
}

#[test]
fn a_flat_fee_is_due_once_and_divided_by_impressions() {
    let flat = terms(PricingModel::Flat, 1_000_001, 1);
    let fee = |counts: [i64; 3]| {
        let buckets: Vec<_> = [(7, 1), (8, 1), (7, 2)]
            .iter()
            .zip(counts)
            .map(|((unit, month), n)| (basis(&flat, 500_000, *unit, *month), quantity(n)))
            .collect();
        let rated = together(&buckets).unwrap();
        rated.iter().map(|a| a.billed.get()).collect::<Vec<_>>()
    };
    assert_eq!(fee([0, 0, 0]), [0, 0, 0]);
    assert_eq!(fee([1, 0, 0]), [1_000_001, 0, 0]);
    assert_eq!(fee([1, 1, 2]).iter().sum::<i64>(), 1_000_001);
    assert_eq!(fee([1, 1, 2])[2], 500_001);
}

#[test]
fn days_are_charged_once_whatever_ad_unit_saw_them() {
    let daily = terms(PricingModel::Cpd, 100, 1);
    let rated = together(&[
        (basis(&daily, 0, 7, 1), days(&[(1, 5), (2, 5)])),
        (basis(&daily, 0, 8, 1), days(&[(2, 10)])),
        (basis(&daily, 0, 7, 2), days(&[(1, 1)])),
    ])
    .unwrap();
    let billed: Vec<_> = rated.iter().map(|a| a.billed.get()).collect();
    assert_eq!(billed, [100, 100, 100]);
}

#[test]
fn cost_plus_bills_the_cost_as_it_is_at_a_million() {
    let cost = basis(
        &terms(PricingModel::CostPlus, 1_000_000, 1_000_000),
        700_000,
        7,
        1,
    );
    let rated = rate_alone(&cost, 1_429_999_876).unwrap();
    assert_eq!(rated.billed.get(), 1_429_999_876);
    assert_eq!(rated.earned.get(), 1_000_999_913);
}

#[test]
fn what_does_not_fit_is_an_error() {
    let dear = basis(&terms(PricingModel::Cpc, i64::MAX, 1), 1_000_000, 7, 1);
    assert_eq!(rate_alone(&dear, 1).unwrap().earned, Micros::MAX);
    assert_eq!(rate_alone(&dear, 2), Err(Overflow));
    assert_eq!(together(&[(dear, quantity(2))]), Err(Overflow));
}

prop_compose! {
    fn any_terms()(
        model in prop::sample::select(PricingModel::ALL),
        rate in prop_oneof![Just(0), 1..5_000_000_i64],
        unit in prop_oneof![Just(1), Just(1000), 1..2000_i64],
        cap in prop::option::of(0..20_000_000_i64),
        absorbs: bool,
    ) -> Terms {
        let mut terms = terms(model, rate, unit);
        terms.billing_cap = cap.map(Micros::new);
        if !absorbs {
            terms.overdelivery = OverdeliveryPolicy::CapBoth;
        }
        terms
    }
}

prop_compose! {
    fn any_line_item()(
        mut versions in prop::collection::vec(any_terms(), 1..4),
        rows in prop::collection::vec((0..3_usize, 0..4_u128, 0..3_i32, 1..28_u8, 0..50_000_i64), 1..30),
        ppm in prop_oneof![Just(0), Just(1_000_000), 0..=1_000_000_u32],
    ) -> Vec<(Basis, Measure)> {
        for (version, terms) in (1..).zip(&mut versions) {
            terms.version = version;
        }
        let mut buckets: BTreeMap<_, (Basis, Measure)> = BTreeMap::new();
        for (version, unit, month, day, n) in rows {
            let basis = basis(&versions[version % versions.len()], ppm, unit, month);
            let (_, measure) = buckets.entry(basis.key).or_insert((basis, Measure::default()));
            measure.quantity += n;
            measure.rows += 1;
            measure.days.add(day, n).unwrap();
        }
        buckets.into_values().collect()
    }
}

proptest! {
    #[test]
    fn shares_never_exceed_charges_and_everything_adds_up(buckets in any_line_item()) {
        let rated = together(&buckets).unwrap();
        for ((basis, _), a) in buckets.iter().zip(&rated) {
            for amount in [a.served, a.billed, a.earned, a.revenue, a.absorbed] {
                prop_assert!(!amount.is_negative());
            }
            prop_assert!(a.billed <= a.served && a.earned <= a.served);
            prop_assert_eq!(a.billed.get(), a.earned.get() + a.revenue.get() - a.absorbed.get());
            match basis.rev_share.share {
                Ppm::ZERO => prop_assert!(a.earned.is_zero()),
                Ppm::ONE => prop_assert!(a.revenue.is_zero()),
                _ => {}
            }
        }
    }

    #[test]
    fn the_order_of_buckets_does_not_matter(buckets in any_line_item()) {
        let mut turned = buckets.clone();
        turned.reverse();
        let mut rated = together(&turned).unwrap();
        rated.reverse();
        prop_assert_eq!(rated, together(&buckets).unwrap());
    }

    #[test]
    fn a_line_item_that_reaches_no_farther_rates_alone(mut buckets in any_line_item()) {
        use billing_domain::rating::Reach;
        for (basis, _) in &mut buckets {
            let terms = Arc::make_mut(&mut basis.terms);
            terms.billing_cap = None;
            if Reach::of(terms) != Reach::Bucket {
                terms.model = PricingModel::Cpc;
            }
        }
        let alone: Vec<_> = buckets.iter().map(|(b, m)| rate_alone(b, m.quantity).unwrap()).collect();
        prop_assert_eq!(alone, together(&buckets).unwrap());
    }

    #[test]
    fn more_is_never_worth_less(
        n in 0..1_000_000_i64, more in 0..1_000_000_i64, rate in 0..10_000_000_i64,
        unit in 1..2000_i64, ppm in 0..=1_000_000_u32,
    ) {
        let basis = basis(&terms(PricingModel::Cpm, rate, unit), ppm, 7, 1);
        let delta = rate_alone(&basis, n + more).unwrap().since(&rate_alone(&basis, n).unwrap()).unwrap();
        prop_assert!(delta.earned.get() >= 0 && delta.earned <= delta.billed);
    }

    #[test]
    fn nothing_panics(rate in 0..=i64::MAX, unit in 1..=i64::MAX, n in 0..=i64::MAX, cap in 0..=i64::MAX) {
        for model in PricingModel::ALL {
            let mut terms = terms(*model, rate, unit);
            terms.billing_cap = Some(Micros::new(cap));
            let buckets = [7, 8].map(|ad_unit| (basis(&terms, 999_999, ad_unit, 1), days(&[(1, n)])));
            if let Ok(rated) = together(&buckets) {
                let sum: i128 = rated.iter().map(|a| i128::from(a.billed.get())).sum();
                prop_assert!(sum <= i128::from(cap));
            }
        }
    }
}
