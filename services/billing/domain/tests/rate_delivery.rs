//! Rating as commands: whatever the order, the batches and the repetitions, the same money moves.

#![allow(
    clippy::unwrap_used,
    reason = "a helper of tests: what fails here fails the test"
)]

mod common;

use billing_domain::account::Mode;
use billing_domain::catalogue::{Catalogue, PreparedRow};
use billing_domain::chart::{Code, LedgerKey};
use billing_domain::delivery::{DeliveryCounts, DeliveryKey, DeliveryRow};
use billing_domain::parked_row::ParkReason;
use billing_domain::rate_delivery::{RateDelivery, RateReport};
use billing_domain::rev_share::RevShare;
use billing_domain::settle_unfunded::SettleUnfunded;
use billing_domain::terms::{OverdeliveryPolicy, PricingModel, Terms};
use cleave_kernel::{AdUnitId, CampaignId, GameId, LineItemId, Micros, Ppm, RevShareId, Timestamp};
use common::{World, inr, line_item};
use jiff::tz::TimeZone;
use proptest::prelude::*;
use std::collections::BTreeMap;
use std::time::Duration;
use uuid::Uuid;

/// 2026-11-01T00:00Z.
const START: i64 = 1_793_491_200_000_000;

/// Hours after it: two in one day, another day, both sides of the month's end in Kolkata, and the next day there.
const HOURS: [i64; 6] = [0, 5, 24, 714, 715, 740];

fn unit(number: u8) -> AdUnitId {
    AdUnitId::from_uuid(Uuid::from_u128(u128::from(number) + 100))
}

fn row(item: u8, version: i64, ad_unit: u8, hour: i64, revision: i64, n: i64) -> DeliveryRow {
    DeliveryRow {
        key: DeliveryKey {
            source: "own".to_owned(),
            line_item: line_item(item),
            terms_version: version,
            ad_unit: unit(ad_unit),
            hour: Timestamp::from_micros(START + hour * 3_600_000_000),
        },
        revision,
        counts: DeliveryCounts {
            impressions: n,
            viewable_impressions: n,
            clicks: n,
            installs: n,
            actions: n,
            media_cost: n,
            ..DeliveryCounts::default()
        },
    }
}

fn terms(world: &World, item: u8, model: PricingModel, rate: i64) -> Terms {
    Terms {
        line_item: line_item(item),
        version: 1,
        campaign: CampaignId::from_uuid(Uuid::from_u128(9)),
        advertiser: world.advertiser,
        currency: inr(),
        model,
        rate,
        unit: 1,
        billing_cap: None,
        overdelivery: OverdeliveryPolicy::PlatformAbsorbs,
        effective_at: Timestamp::EPOCH,
    }
}

fn share(world: &World, ad_unit: u8, ppm: u32) -> RevShare {
    RevShare {
        id: RevShareId::from_uuid(Uuid::from_u128(50)),
        version: 1,
        ad_unit: unit(ad_unit),
        game: GameId::from_uuid(Uuid::from_u128(51)),
        publisher: world.publisher,
        share: Ppm::new(ppm).unwrap(),
    }
}

fn catalogue(world: &World, all: impl IntoIterator<Item = Terms>, ppm: u32) -> Catalogue {
    let mut catalogue = Catalogue::new(TimeZone::get("Asia/Kolkata").unwrap());
    all.into_iter()
        .for_each(|terms| catalogue.learn_terms(terms));
    for number in 0..4 {
        let always = Timestamp::from_micros(i64::MAX);
        catalogue.learn_share(share(world, number, ppm), Timestamp::EPOCH, always);
    }
    catalogue
}

fn rate(world: &mut World, catalogue: &mut Catalogue, rows: Vec<DeliveryRow>) -> RateReport {
    let rows: Vec<PreparedRow> = catalogue.prepare(rows);
    let command = RateDelivery {
        rows,
        unreadable: Vec::new(),
        progress: None,
    };
    world.work.rate_delivery(&command).unwrap()
}

fn balance(world: &World, code: Code) -> i64 {
    let key = match code {
        Code::PublisherEstimated => LedgerKey::account(world.publisher_account, inr(), code),
        Code::AdvertiserBalance | Code::DeliveryUnfunded => world.ledger(code),
        _ => world.platform(code),
    };
    let counters = world.work.book().counters(key);
    counters.balance(code.side()).unwrap().get()
}

const MONEY: [Code; 6] = [
    Code::AdvertiserBalance,
    Code::DeliveryUnfunded,
    Code::DeliveryClearing,
    Code::PublisherEstimated,
    Code::NetworkRevenue,
    Code::OverdeliveryCost,
];

fn balances(world: &World) -> Vec<i64> {
    MONEY.iter().map(|code| balance(world, *code)).collect()
}

#[test]
fn a_charge_draws_from_holds_then_from_the_balance_then_stays_unfunded() {
    let mut world = World::open(Mode::Prepaid, 0);
    world.pay(100).unwrap();
    world.reserve(line_item(0), 60, 1).unwrap();
    let mut known = catalogue(&world, [terms(&world, 0, PricingModel::Cpc, 1)], 700_000);
    let report = rate(&mut world, &mut known, vec![row(0, 1, 0, 0, 1, 110)]);
    assert_eq!((report.rated, report.stale, report.parked), (1, 0, 0));
    assert_eq!(balances(&world), [0, 10, 0, 77, 33, 0]);
    assert_eq!(world.free(), Micros::ZERO);
    let settle = SettleUnfunded {
        line_item: line_item(0),
        unfunded_before: world.work.now(),
    };
    world.pay(4).unwrap();
    let settled = world.work.settle_unfunded(&settle).unwrap();
    assert_eq!((settled.charged.get(), settled.written_off.get()), (4, 6));
    assert_eq!(balances(&world), [0, 0, 0, 77, 33, 6]);
    rate(&mut world, &mut known, vec![row(0, 1, 0, 0, 2, 0)]);
    assert_eq!(balances(&world), [104, 0, 0, 0, 0, 0]);
}

#[test]
fn a_settlement_waits_for_the_last_hold_and_for_its_time() {
    let mut world = World::open(Mode::Prepaid, 0);
    let mut known = catalogue(&world, [terms(&world, 0, PricingModel::Cpc, 1)], 0);
    rate(&mut world, &mut known, vec![row(0, 1, 0, 0, 1, 10)]);
    let now = world.work.now();
    let mut settle = SettleUnfunded {
        line_item: line_item(0),
        unfunded_before: now.minus(Duration::from_micros(1)),
    };
    assert!(
        world
            .work
            .settle_unfunded(&settle)
            .unwrap()
            .written_off
            .is_zero()
    );
    world.pay(5).unwrap();
    world.reserve(line_item(0), 5, 5).unwrap();
    settle.unfunded_before = now;
    assert!(
        world
            .work
            .settle_unfunded(&settle)
            .unwrap()
            .charged
            .is_zero()
    );
    assert_eq!(balance(&world, Code::DeliveryUnfunded), 10);
}

#[test]
fn what_cannot_be_rated_is_parked_and_holds_nobody_up() {
    let mut world = World::open(Mode::Prepaid, 0);
    let mut foreign = terms(&world, 1, PricingModel::Cpc, 1);
    foreign.currency = cleave_kernel::Currency::from_code("USD").unwrap();
    let dear = terms(&world, 2, PricingModel::Cpc, i64::MAX);
    let mut known = catalogue(
        &world,
        [terms(&world, 0, PricingModel::Cpc, 1), foreign, dear],
        700_000,
    );
    let mut broken = row(0, 1, 1, 0, 1, 1);
    broken.counts.invalid_clicks = 2;
    let rows = vec![
        row(0, 1, 0, 0, 1, 10),
        row(0, 2, 0, 0, 1, 10),
        row(0, 1, 9, 0, 1, 10),
        row(1, 1, 0, 0, 1, 10),
        row(2, 1, 0, 0, 1, 10),
        broken,
    ];
    let reasons = [
        None,
        Some(ParkReason::MissingTerms),
        Some(ParkReason::MissingShare),
        Some(ParkReason::CurrencyMismatch),
        Some(ParkReason::Overflow),
        Some(ParkReason::InvalidRow),
    ];
    let ids: Vec<_> = rows.iter().map(|row| row.key.id()).collect();
    let report = rate(&mut world, &mut known, rows);
    assert_eq!((report.rated, report.parked), (1, 5));
    for (id, reason) in ids.iter().zip(reasons) {
        let parked = world.work.rating.parked(*id);
        assert_eq!(parked.map(|parked| parked.obstacle.reason), reason);
    }
    let mut second = terms(&world, 0, PricingModel::Cpc, 2);
    second.version = 2;
    known.learn_terms(second);
    let report = rate(&mut world, &mut known, vec![row(0, 2, 0, 0, 1, 10)]);
    assert_eq!((report.rated, report.parked), (1, 0));
    assert!(world.work.rating.parked(ids[1]).is_none());
    assert_eq!(balance(&world, Code::DeliveryUnfunded), 30);
}

#[test]
fn an_older_revision_never_replaces_a_newer_one() {
    let mut world = World::open(Mode::Prepaid, 0);
    let mut known = catalogue(&world, [terms(&world, 0, PricingModel::Cpc, 1)], 0);
    let rows = vec![row(0, 1, 0, 0, 3, 10), row(0, 1, 0, 0, 2, 99)];
    assert_eq!(rate(&mut world, &mut known, rows).stale, 1);
    let report = rate(&mut world, &mut known, vec![row(0, 1, 0, 0, 3, 11)]);
    assert_eq!((report.rated, report.stale), (0, 1));
    assert_eq!(balance(&world, Code::DeliveryUnfunded), 10);
}

prop_compose! {
    fn any_case()(
        models in prop::collection::vec((prop::sample::select(PricingModel::ALL), 0..5000_i64, prop::option::of(0..40_000_i64), any::<bool>()), 3),
        rows in prop::collection::vec((0..2_u8, 1..3_i64, 0..3_u8, prop::sample::select(&HOURS), 1..4_i64, 0..60_i64), 1..40),
        ppm in prop_oneof![Just(0), Just(1_000_000), 0..=1_000_000_u32],
        cuts in prop::collection::vec(1..8_usize, 1..40),
        paid in 0..400_000_i64,
    ) -> (Vec<(PricingModel, i64, Option<i64>, bool)>, Vec<DeliveryRow>, u32, Vec<usize>, i64) {
        let rows = rows.into_iter().map(|(item, version, unit, hour, revision, n)| {
            // One revision has one content.
            row(item, version, unit, hour, revision, n * revision)
        });
        (models, rows.collect(), ppm, cuts, paid)
    }
}

fn all_terms(world: &World, models: &[(PricingModel, i64, Option<i64>, bool)]) -> Vec<Terms> {
    let mut all = Vec::new();
    for item in 0..2_u8 {
        for version in 1..3_i64 {
            let pick = (usize::from(item) + usize::from(version == 2)) % models.len();
            let (model, rate, cap, absorbs) = models[pick];
            let mut terms = terms(world, item, model, rate);
            terms.version = version;
            terms.billing_cap = cap.map(Micros::new);
            if !absorbs {
                terms.overdelivery = OverdeliveryPolicy::CapBoth;
            }
            all.push(terms);
        }
    }
    all
}

/// The last content of each row, by key: what any order of reports comes to.
fn latest(rows: &[DeliveryRow]) -> Vec<DeliveryRow> {
    let mut latest: BTreeMap<_, DeliveryRow> = BTreeMap::new();
    for row in rows {
        let known = latest.entry(row.key.clone()).or_insert_with(|| row.clone());
        if known.revision < row.revision {
            *known = row.clone();
        }
    }
    latest.into_values().collect()
}

/// A row of one key and revision has one content: the first.
fn consistent(rows: Vec<DeliveryRow>) -> Vec<DeliveryRow> {
    let mut first = BTreeMap::new();
    for row in &rows {
        let key = (row.key.clone(), row.revision);
        first.entry(key).or_insert_with(|| row.clone());
    }
    let same = |row: DeliveryRow| first[&(row.key, row.revision)].clone();
    rows.into_iter().map(same).collect()
}

fn buckets(world: &World) -> Vec<(String, i64, Vec<i64>)> {
    let mut buckets = Vec::new();
    for item in [0, 1].map(line_item) {
        for b in world.work.rating.buckets_of(item) {
            let a = b.amounts;
            let amounts = [a.served, a.billed, a.earned, a.revenue, a.absorbed];
            let amounts = amounts.map(Micros::get).to_vec();
            buckets.push((b.basis.key.to_string(), b.measure.quantity, amounts));
        }
    }
    buckets.sort();
    buckets
}

fn total(world: &World, item: LineItemId) -> Option<(i64, i64)> {
    let totals = world.work.rating.line_item(item)?;
    let over = totals.amounts.served.checked_sub(totals.amounts.billed);
    assert_eq!(totals.funding.billed(), Ok(totals.amounts.billed));
    Some((totals.amounts.billed.get(), over.unwrap().get()))
}

#[test]
fn given_more_than_fits_when_learned_for_a_batch_then_it_is_there_until_the_next() {
    let world = World::open(Mode::Prepaid, 0);
    let mut known = Catalogue::bounded(TimeZone::UTC, 1);
    let rows = vec![row(0, 1, 0, 0, 1, 10), row(1, 1, 1, 0, 1, 10)];
    for _ in 0..2 {
        known.trim();
        assert_eq!(known.unknown(&rows).terms.len(), 2);
        for number in [0, 1] {
            known.learn_terms(terms(&world, number, PricingModel::Cpc, 1));
            let end = Timestamp::from_micros(i64::MAX);
            known.learn_share(share(&world, number, 1), Timestamp::EPOCH, end);
        }
        let prepared = known.prepare(rows.clone());
        assert!(prepared.iter().all(|row| row.basis.is_ok()));
    }
}

proptest! {
    #[test]
    fn order_batches_and_repetitions_do_not_matter(
        (models, rows, ppm, cuts, paid) in any_case(), turn in 0..40_usize,
    ) {
        let rows = consistent(rows);
        let mut whole = World::open(Mode::Prepaid, 0);
        whole.pay(1_000_000_000 + paid).unwrap();
        let terms = all_terms(&whole, &models);
        let mut known = catalogue(&whole, terms.clone(), ppm);
        let mut parts = whole.clone();
        rate(&mut whole, &mut known, latest(&rows));

        let mut known = catalogue(&parts, terms, ppm);
        let mut rest: Vec<_> = rows.iter().chain(&rows).cloned().collect();
        rest.rotate_left(turn % rows.len());
        for cut in cuts.iter().cycle() {
            if rest.is_empty() {
                break;
            }
            let batch = rest.drain(..(*cut).min(rest.len())).collect();
            rate(&mut parts, &mut known, batch);
        }
        prop_assert_eq!(buckets(&whole), buckets(&parts));
        prop_assert_eq!(balances(&whole), balances(&parts));
        prop_assert_eq!(balance(&parts, Code::DeliveryClearing), 0);
    }

    #[test]
    fn going_back_to_nothing_restores_every_balance(
        (models, rows, ppm, cuts, paid) in any_case(), holds in prop::collection::vec(1..50_000_i64, 0..3),
    ) {
        let rows = consistent(rows);
        let mut world = World::open(Mode::Prepaid, 0);
        world.pay(paid.max(1)).unwrap();
        for hold in holds {
            let _ = world.reserve(line_item(0), hold, 1);
        }
        let before = balances(&world);
        let terms = all_terms(&world, &models);
        let mut known = catalogue(&world, terms, ppm);
        for (step, batch) in rows.chunks(cuts[0]).enumerate() {
            rate(&mut world, &mut known, batch.to_vec());
            if step % 3 == 2 {
                let settle = SettleUnfunded { line_item: line_item(1), unfunded_before: world.work.now() };
                world.work.settle_unfunded(&settle).unwrap();
            }
            // Charges = earnings + revenue - what the platform carries.
            let now = balances(&world);
            let charged = before[0] - now[0];
            prop_assert_eq!(charged + now[1] + now[5], now[3] + now[4]);
            prop_assert_eq!(now[2], 0);
            prop_assert!(!world.free().is_negative());
            for item in [0, 1] {
                if let Some((billed, over)) = total(&world, line_item(item)) {
                    prop_assert!(billed >= 0 && over >= 0);
                }
            }
        }
        let gone = latest(&rows).into_iter().map(|row| DeliveryRow {
            revision: 99,
            counts: DeliveryCounts::default(),
            ..row
        });
        rate(&mut world, &mut known, gone.collect());
        prop_assert_eq!(balances(&world), before);
    }
}
