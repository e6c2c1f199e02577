//! Accounts that close, and rows that can never be rated: how they leave.

use crate::world::{World, advertiser, hour, publisher, row, terms};
use billing_domain::Refusal;
use billing_domain::account::{Account, OpsRef};
use billing_domain::adjustment::Direction;
use billing_domain::delivery::RowId;
use billing_domain::parked_row::{ParkReason, UnreadableRow};
use billing_domain::rating_set::Progress;
use billing_domain::terms::PricingModel;
use cleave_kernel::{Micros, Timestamp};
use std::collections::BTreeMap;
use std::time::Duration;

/// After all corrections of November 2026.
const LATE: Duration = Duration::from_secs(40 * 24 * 60 * 60);

fn buyer() -> OpsRef {
    OpsRef::Advertiser(advertiser())
}

fn seller() -> OpsRef {
    OpsRef::Publisher(publisher(0))
}

fn progress() -> Option<Progress> {
    Some(Progress {
        resume_token: "t".to_owned(),
        revision: 2,
        as_of: hour(9),
        watermarks: BTreeMap::from([("own".to_owned(), hour(8))]),
    })
}

/// Worlds in which 100 was delivered, of which the publisher earned 70.
async fn delivered() -> Vec<World> {
    let mut worlds = World::on_each_engine().await;
    for world in &mut worlds {
        world.pay(1000).await;
        let priced = terms(0, PricingModel::Cpc, 1, 1);
        world.catalogue.learn_terms(priced);
        let report = world
            .rate_with(vec![row(0, 0, 1, 1, 100)], progress())
            .await;
        assert_eq!(report.rated, 1);
    }
    worlds
}

async fn closed(world: &World, owner: OpsRef) {
    world.empty(owner).await;
    world.clock.advance(LATE);
    world.close(owner).await.unwrap();
}

/// A correction that came too late, parked.
async fn corrected(world: &mut World, revision: i64, clicks: i64) -> RowId {
    let late = row(0, 0, 1, revision, clicks);
    let id = late.key.id();
    assert_eq!(world.rate(vec![late]).await.parked, 1);
    assert_eq!(world.store.rated_through().await.unwrap(), Some(hour(1)));
    id
}

#[tokio::test]
async fn given_delivery_that_may_change_when_closed_then_refused_until_its_month_is_final() {
    for world in delivered().await {
        for owner in [buyer(), seller()] {
            world.empty(owner).await;
            // November ends in Kolkata at 18:30 UTC, and may be corrected for eight days.
            let until = hour(29 * 24 + 18 + 8 * 24).plus(Duration::from_secs(1800));
            let refusal = Refusal::DeliveryOpen {
                account: Account::id_of(owner),
                until,
                parked: 0,
            };
            assert_eq!(world.close(owner).await, Err(refusal), "{:?}", world.test);
        }
        world.clock.advance(LATE);
        world.close(buyer()).await.unwrap();
        world.close(seller()).await.unwrap();
        world.assert_clean().await;
    }
}

#[tokio::test]
async fn given_a_parked_row_when_its_accounts_would_close_then_they_stay_open_for_it() {
    for mut world in delivered().await {
        world.clock.advance(LATE);
        // It contradicts itself: more is invalid than there was.
        let mut odd = row(0, 0, 2, 1, 5);
        odd.counts.invalid_clicks = 6;
        let id = odd.key.id();
        assert_eq!(world.rate(vec![odd]).await.parked, 1);
        for owner in [buyer(), seller()] {
            world.empty(owner).await;
            let refused = world.close(owner).await;
            let parked = matches!(refused, Err(Refusal::DeliveryOpen { parked: 1, .. }));
            assert!(parked, "{:?}: {refused:?}", world.test);
        }
        let written_off = world.write_off(vec![(id, 1)]).await.unwrap();
        assert!(!written_off.rows[0].rated && written_off.adjustments.is_empty());
        assert_eq!(written_off.rows[0].obstacle, ParkReason::InvalidRow);
        world.close(buyer()).await.unwrap();
        world.close(seller()).await.unwrap();
        world.assert_clean().await;
    }
}

#[tokio::test]
async fn given_less_delivered_by_a_closed_advertiser_when_written_off_then_the_platform_keeps_it() {
    for mut world in delivered().await {
        closed(&world, buyer()).await;
        let id = corrected(&mut world, 2, 40).await;
        let written_off = world.write_off(vec![(id, 2)]).await.unwrap();
        assert!(written_off.rows[0].rated);
        let given = &written_off.adjustments[0];
        assert_eq!(
            (given.direction, given.amount.micros),
            (Direction::Debit, Micros::new(60))
        );
        assert_eq!(given.account, Account::id_of(buyer()));
        // The publisher earns what was delivered; nothing is left on the account that has closed.
        let balances = world.balances().await;
        assert_eq!(balances.get("pub0 PublisherEstimated"), Some(&28));
        assert_eq!(balances.get("platform NetworkRevenue"), Some(&12));
        assert!(
            !balances.keys().any(|name| name.starts_with("adv")),
            "{balances:?}"
        );
        assert_eq!(world.store.parked_count().await.unwrap(), 0);
        assert_eq!(world.store.rated_through().await.unwrap(), Some(hour(8)));
        assert_eq!(world.rate(vec![row(0, 0, 1, 2, 40)]).await.stale, 1);
        world.assert_clean().await;
    }
}

#[tokio::test]
async fn given_more_delivered_for_a_closed_advertiser_when_written_off_then_the_platform_carries_it()
 {
    for mut world in delivered().await {
        closed(&world, buyer()).await;
        let id = corrected(&mut world, 2, 130).await;
        let written_off = world.write_off(vec![(id, 2)]).await.unwrap();
        assert!(written_off.rows[0].rated && written_off.adjustments.is_empty());
        let balances = world.balances().await;
        assert_eq!(balances.get("pub0 PublisherEstimated"), Some(&91));
        assert_eq!(balances.get("platform OverdeliveryCost"), Some(&30));
        assert!(
            !balances.keys().any(|name| name.starts_with("adv")),
            "{balances:?}"
        );
        world.assert_clean().await;
    }
}

#[tokio::test]
async fn given_a_closed_publisher_when_written_off_then_its_part_stays_with_the_platform() {
    for mut world in delivered().await {
        closed(&world, seller()).await;
        for (revision, clicks, direction, amount, balance) in [
            (2, 130, Direction::Debit, 21, 870),
            (3, 40, Direction::Credit, 63, 960),
        ] {
            let id = corrected(&mut world, revision, clicks).await;
            let written_off = world.write_off(vec![(id, revision)]).await.unwrap();
            let adjustment = &written_off.adjustments[0];
            let told = (adjustment.direction, adjustment.amount.micros.get());
            assert_eq!(told, (direction, amount), "{:?}", world.test);
            assert_eq!(world.balance("adv AdvertiserBalance").await, balance);
            assert_eq!(world.balance("pub0 PublisherEstimated").await, 0);
            world.assert_clean().await;
        }
        let listed = world.store.list_written_off(None, 10).await.unwrap();
        let mut revisions: Vec<_> = listed.iter().map(|row| row.revision).collect();
        revisions.sort_unstable();
        assert_eq!(revisions, [2, 3]);
    }
}

#[tokio::test]
async fn given_a_row_that_changed_or_does_not_wait_when_written_off_then_nothing_is() {
    for mut world in delivered().await {
        let first = row(9, 0, 3, 1, 5);
        let id = first.key.id();
        world.rate(vec![first, row(8, 0, 3, 1, 5)]).await;
        let other = row(8, 0, 3, 1, 5).key.id();
        world.rate(vec![row(9, 0, 3, 2, 6)]).await;
        let changed = world.write_off(vec![(other, 1), (id, 1)]).await;
        let refusal = Refusal::ParkedRowChanged {
            row: id,
            revision: 2,
        };
        assert_eq!(changed, Err(refusal));
        let unknown = row(7, 0, 3, 1, 1).key.id();
        let refusal = Refusal::ParkedRowNotFound { row: unknown };
        assert_eq!(world.write_off(vec![(unknown, 1)]).await, Err(refusal));
        assert_eq!(world.store.parked_count().await.unwrap(), 2);
        assert!(
            world
                .store
                .list_written_off(None, 10)
                .await
                .unwrap()
                .is_empty()
        );

        // What was written off without a price is rated after all by a later revision, in full.
        world.write_off(vec![(other, 1), (id, 2)]).await.unwrap();
        assert_eq!(world.rate(vec![row(9, 0, 3, 2, 6)]).await.stale, 1);
        let priced = terms(9, PricingModel::Cpc, 1, 1);
        world.catalogue.learn_terms(priced);
        assert_eq!(world.rate(vec![row(9, 0, 3, 3, 7)]).await.rated, 1);
        assert_eq!(world.balance("adv AdvertiserBalance").await, 893);
        world.assert_clean().await;
    }
}

#[tokio::test]
async fn given_a_row_that_cannot_be_read_then_it_waits_until_a_better_one_or_a_decision() {
    for mut world in delivered().await {
        let good = row(0, 0, 5, 2, 3);
        let bad = |id, hour, revision| UnreadableRow {
            id,
            source: "own".to_owned(),
            line_item: "line?".to_owned(),
            terms_version: 1,
            ad_unit: String::new(),
            hour,
            revision,
            content: vec![0xff, 0],
            problem: "counts: is missing".to_owned(),
        };
        let lost = RowId::of_unreadable(b"lost");
        let rows = vec![
            bad(good.key.id(), hour(5), 1),
            bad(lost, Timestamp::EPOCH, 1),
        ];
        assert_eq!(world.quarantine(rows.clone()).await.unreadable, 2);
        assert_eq!(world.store.unreadable_count().await.unwrap(), 2);
        let store = world.store.clone();
        let through = || async { store.rated_through().await.unwrap() };
        assert_eq!(through().await, Some(Timestamp::EPOCH));

        let written_off = world.write_off(vec![(lost, 1)]).await.unwrap();
        assert_eq!(written_off.rows[0].content, "ff00");
        assert_eq!(through().await, Some(hour(5)));
        // The stream is read again: what was decided stays decided.
        assert_eq!(world.quarantine(rows.clone()).await.unreadable, 1);
        assert_eq!(world.rate(vec![good]).await.rated, 1);
        assert_eq!(through().await, Some(hour(8)));
        assert_eq!(world.quarantine(rows).await.unreadable, 0);
        assert_eq!(world.store.unreadable_count().await.unwrap(), 0);
        world.assert_clean().await;
    }
}
