//! Where the money comes from, and what becomes of delivery that nothing covers.

use crate::world::{World, line_item, row, terms};
use billing_domain::reservation::State;
use billing_domain::terms::PricingModel;
use billing_store::FindingKind;
use cleave_kernel::Timestamp;
use sea_orm::ConnectionTrait;

#[tokio::test]
async fn holds_pay_first_and_what_nothing_covers_is_settled_once() {
    for mut world in World::on_each_engine().await {
        world
            .catalogue
            .learn_terms(terms(0, PricingModel::Cpc, 1, 1));
        world.pay(100).await;
        let old = world.reserve(0, 30).await;
        let new = world.reserve(0, 50).await;
        world.rate(vec![row(0, 0, 0, 1, 60)]).await;
        let old = world.store.reservation(old.id).await.unwrap().unwrap();
        let new = world.store.reservation(new.id).await.unwrap().unwrap();
        assert!(matches!(old.state, State::Closed(_)), "{:?}", world.test);
        assert_eq!(new.left().unwrap().get(), 20);
        world.assert_clean().await;

        world.rate(vec![row(0, 1, 0, 1, 70)]).await;
        assert_eq!(world.balance("adv DeliveryUnfunded").await, 30);
        let end = Timestamp::from_micros(i64::MAX);
        let waiting = world
            .store
            .unfunded_line_items(end, None, 10)
            .await
            .unwrap();
        assert_eq!(waiting.len(), 1);
        assert_eq!(waiting[0].line_item, line_item(0));
        let next = world
            .store
            .unfunded_line_items(end, Some(waiting[0]), 10)
            .await;
        assert_eq!(next.unwrap(), []);
        world.pay(12).await;
        assert_eq!(world.settle(0).await, (12, 18));
        assert_eq!(world.settle(0).await, (0, 0));
        assert!(
            world
                .store
                .unfunded_line_items(end, None, 10)
                .await
                .unwrap()
                .is_empty()
        );
        let totals = world.store.line_item_totals(&[line_item(0)]).await.unwrap();
        assert_eq!(totals[0].funding.charged.get(), 112);
        assert_eq!(totals[0].funding.written_off.get(), 18);
        world.assert_clean().await;

        world
            .rate(vec![row(0, 0, 0, 2, 0), row(0, 1, 0, 2, 0)])
            .await;
        let balances = world.balances().await;
        assert_eq!(
            balances.get("adv AdvertiserBalance"),
            Some(&112),
            "{balances:?}"
        );
        assert_eq!(balances.len(), 2, "{balances:?}");
        world.assert_clean().await;
    }
}

#[tokio::test]
async fn verification_names_the_bucket_that_was_tampered_with() {
    for mut world in World::on_each_engine().await {
        world
            .catalogue
            .learn_terms(terms(0, PricingModel::Cpc, 1, 1));
        world
            .rate(vec![row(0, 0, 0, 1, 60), row(0, 1, 0, 1, 60)])
            .await;
        let statement = "UPDATE rated_rows SET quantity = 61 WHERE quantity = 60 AND revision = 1";
        world
            .test
            .db()
            .transaction("tamper", |txn| async move {
                txn.execute_unprepared(statement).await?;
                Ok::<_, billing_store::StoreError>(())
            })
            .await
            .unwrap();
        let (_, findings) = world.verify().await;
        let of = |kind| findings.iter().filter(|f| f.kind == kind).count();
        assert!(of(FindingKind::BucketMismatch) >= 4, "{findings:#?}");
        assert!(findings[0].subject.starts_with("line_"), "{findings:#?}");
    }
}
