//! Rows that wait.

use crate::world::{World, hour, row, terms};
use billing_domain::parked_row::ParkReason;
use billing_domain::rating_set::Progress;
use billing_domain::terms::PricingModel;
use std::collections::BTreeMap;
use std::time::Duration;

#[tokio::test]
async fn a_parked_row_holds_the_watermark_back_until_its_terms_appear() {
    for mut world in World::on_each_engine().await {
        world.pay(1000).await;
        world
            .catalogue
            .learn_terms(terms(0, PricingModel::Cpc, 1, 1));
        assert_eq!(world.store.rated_through().await.unwrap(), None);
        let progress = Progress {
            resume_token: "t".to_owned(),
            revision: 2,
            as_of: hour(9),
            watermarks: BTreeMap::from([("mmp".to_owned(), hour(7)), ("own".to_owned(), hour(8))]),
        };
        let rows = vec![row(0, 0, 1, 1, 10), row(1, 0, 5, 1, 10)];
        let report = world.rate_with(rows, Some(progress)).await;
        assert_eq!((report.rated, report.parked), (1, 1));
        assert_eq!(world.store.rated_through().await.unwrap(), Some(hour(5)));
        let parked = world.parked().await;
        assert_eq!(parked.len(), 1);
        assert_eq!(parked[0].1.obstacle.reason, ParkReason::MissingTerms);
        assert_eq!(world.store.parked_count().await.unwrap(), 1);

        world.clock.advance(Duration::from_secs(60));
        let again = vec![parked[0].1.row.clone()];
        assert_eq!(world.rate(again.clone()).await.parked, 1);
        let tried = world.parked().await;
        assert_eq!((tried[0].1.tries, tried[0].1.parked_at), (2, hour(2)));

        world
            .catalogue
            .learn_terms(terms(1, PricingModel::Cpc, 2, 1));
        assert_eq!(world.rate(again).await.rated, 1);
        assert_eq!(world.store.parked_count().await.unwrap(), 0);
        assert_eq!(world.store.rated_through().await.unwrap(), Some(hour(7)));
        assert_eq!(world.balance("adv AdvertiserBalance").await, 970);
        world.assert_clean().await;
    }
}

#[tokio::test]
async fn a_newer_row_takes_the_place_of_a_parked_one() {
    for mut world in World::on_each_engine().await {
        world.pay(1000).await;
        world.rate(vec![row(1, 0, 5, 1, 10)]).await;
        world.rate(vec![row(1, 0, 5, 2, 20)]).await;
        let parked = world.store.parked_to_retry(hour(3), 10).await.unwrap();
        assert_eq!(parked.len(), 1);
        assert_eq!(parked[0].revision, 2);
        world
            .catalogue
            .learn_terms(terms(1, PricingModel::Cpc, 2, 1));
        assert_eq!(world.rate(vec![row(1, 0, 5, 1, 10)]).await.stale, 1);
        assert_eq!(world.rate(vec![row(1, 0, 5, 3, 30)]).await.rated, 1);
        assert_eq!(world.store.parked_count().await.unwrap(), 0);
        assert_eq!(world.balance("adv AdvertiserBalance").await, 940);
        world.assert_clean().await;
    }
}
