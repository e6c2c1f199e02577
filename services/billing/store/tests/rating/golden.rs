//! The golden vectors, through the database.

use crate::world::{World, line_item, row, terms};
use billing_domain::terms::PricingModel;
use cleave_kernel::Micros;

#[tokio::test]
async fn golden_1_to_3_batches_sum_up_and_corrections_reverse() {
    for mut world in World::on_each_engine().await {
        world.pay(10_000_000).await;
        let cpm = terms(0, PricingModel::Cpm, 1_234_567, 1000);
        world.catalogue.learn_terms(cpm);
        let mut charged = Vec::new();
        for (at, n) in [(0, 333), (1, 333), (0, 667)] {
            let revision = i64::try_from(charged.len()).unwrap() + 1;
            world.rate(vec![row(0, 0, at, revision, n)]).await;
            charged.push((
                10_000_000 - world.balance("adv AdvertiserBalance").await,
                world.balance("pub0 PublisherEstimated").await,
            ));
        }
        let expected = [(411_110, 287_777), (822_221, 575_554), (1_234_567, 864_196)];
        assert_eq!(charged, expected, "{:?}", world.test);
        world.rate(vec![row(0, 0, 0, 9, 607)]).await;
        let balances = world.balances().await;
        assert_eq!(balances["adv AdvertiserBalance"], 10_000_000 - 1_160_492);
        assert_eq!(balances["pub0 PublisherEstimated"], 812_344);
        assert_eq!(balances["platform NetworkRevenue"], 348_148);
        assert!(!balances.contains_key("platform DeliveryClearing"));
        world.assert_clean().await;
    }
}

#[tokio::test]
async fn golden_4_a_cap_bills_no_more_and_its_room_bills_again() {
    for mut world in World::on_each_engine().await {
        world.pay(10_000_000).await;
        let mut capped = terms(0, PricingModel::Cpm, 1_234_567, 1000);
        capped.billing_cap = Some(Micros::new(1_200_000));
        world.catalogue.learn_terms(capped);
        world.rate(vec![row(0, 0, 0, 1, 600)]).await;
        world.rate(vec![row(0, 0, 1, 1, 400)]).await;
        let spend = world.store.line_item_totals(&[line_item(0)]).await.unwrap();
        let served = spend[0].amounts;
        assert_eq!(
            (served.billed.get(), served.served.get()),
            (1_200_000, 1_234_567)
        );
        assert_eq!(
            world.balance("platform OverdeliveryCost").await,
            864_196 - 840_000
        );
        world.assert_clean().await;
        world.rate(vec![row(0, 0, 1, 2, 340)]).await;
        let spend = world.store.line_item_totals(&[line_item(0)]).await.unwrap();
        let served = spend[0].amounts;
        assert_eq!(
            (served.billed.get(), served.served.get()),
            (1_160_492, 1_160_492)
        );
        assert_eq!(world.balance("platform OverdeliveryCost").await, 0);
        world.assert_clean().await;
    }
}

#[tokio::test]
async fn cost_plus_flat_and_days_survive_the_database() {
    for mut world in World::on_each_engine().await {
        world.pay(1_000_000_000).await;
        for terms in [
            terms(0, PricingModel::CostPlus, 1_000_000, 1_000_000),
            terms(1, PricingModel::Flat, 1_000_003, 1),
            terms(2, PricingModel::Cpd, 1000, 1),
        ] {
            world.catalogue.learn_terms(terms);
        }
        // The last two hours of the first item lie in December, in Kolkata.
        for at in [0, 1, 30, 715, 716] {
            let rows = [0, 1, 2].iter().flat_map(|item| {
                [0, 1].map(|ad_unit| row(*item, ad_unit, at, 1, 1_429_999 + i64::from(ad_unit)))
            });
            world.rate(rows.collect()).await;
        }
        let items = [0, 1, 2].map(line_item);
        let totals = world.store.line_item_totals(&items).await.unwrap();
        let billed: Vec<_> = totals.iter().map(|t| t.amounts.billed.get()).collect();
        assert_eq!(
            billed,
            [5 * (1_429_999 + 1_430_000), 1_000_003, 3000],
            "{:?}",
            world.test
        );
        world.assert_clean().await;
    }
}
