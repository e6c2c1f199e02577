//! What is read of it.

use crate::world::{World, advertiser, campaign, line_item, publisher, row, terms};
use billing_domain::terms::PricingModel;
use billing_store::{ChargeFilter, EarningsFilter, GroupBy};

#[tokio::test]
async fn charges_are_listed_page_by_page_and_by_filter() {
    for mut world in World::on_each_engine().await {
        for item in 0..3 {
            world
                .catalogue
                .learn_terms(terms(item, PricingModel::Cpc, 1, 1));
        }
        let rows = (0..3).flat_map(|item| {
            (0..4).flat_map(move |unit| [0, 720].map(|at| row(item, unit, at, 1, 10)))
        });
        world.rate(rows.collect()).await;
        let count = |filter: ChargeFilter| {
            let store = world.store.clone();
            async move {
                let mut seen = Vec::new();
                loop {
                    let page = store
                        .list_charges(&filter, seen.last().copied(), 5)
                        .await
                        .unwrap();
                    let short = page.len() < 5;
                    seen.extend(page.iter().map(|bucket| bucket.basis.key));
                    if short {
                        let mut sorted = seen.clone();
                        sorted.sort_by_key(|k| (k.line_item, k.period, k.terms_version, k.ad_unit));
                        assert_eq!(seen, sorted);
                        return seen.len();
                    }
                }
            }
        };
        let any = ChargeFilter::default;
        let period = "2026-12".parse().ok();
        assert_eq!(count(any()).await, 24, "{:?}", world.test);
        assert_eq!(
            count(ChargeFilter {
                line_item: Some(line_item(1)),
                ..any()
            })
            .await,
            8
        );
        assert_eq!(
            count(ChargeFilter {
                publisher: Some(publisher(1)),
                ..any()
            })
            .await,
            12
        );
        assert_eq!(
            count(ChargeFilter {
                campaign: Some(campaign()),
                ..any()
            })
            .await,
            24
        );
        assert_eq!(
            count(ChargeFilter {
                advertiser: Some(advertiser()),
                period,
                ..any()
            })
            .await,
            12
        );
    }
}

#[tokio::test]
async fn earnings_are_summed_by_what_is_asked_for() {
    for mut world in World::on_each_engine().await {
        world
            .catalogue
            .learn_terms(terms(0, PricingModel::Cpc, 100, 1));
        let rows = (0..4).flat_map(|unit| [0, 720].map(|at| row(0, unit, at, 1, 10)));
        world.rate(rows.collect()).await;
        for (group_by, sums) in [
            (GroupBy::Period, vec![1400, 1400]),
            (GroupBy::Game, vec![1400, 1400]),
            (GroupBy::AdUnit, vec![700, 700, 700, 700]),
        ] {
            let filter = EarningsFilter {
                publisher: publisher(0),
                from: None,
                through: None,
                group_by,
            };
            let earnings = world.store.publisher_earnings(&filter).await.unwrap();
            let earned: Vec<_> = earnings.iter().map(|e| e.amounts.earned.get()).collect();
            assert_eq!(earned, sums, "{:?} {group_by:?}", world.test);
        }
    }
}
