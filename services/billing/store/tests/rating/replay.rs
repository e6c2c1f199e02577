//! Crashes, replicas and resends: the same rows leave the same ledger.

use crate::world::{World, hour, row, terms};
use billing_domain::delivery::DeliveryRow;
use billing_domain::rate_delivery::RateDelivery;
use billing_domain::rating_set::Progress;
use billing_domain::terms::PricingModel;
use billing_store::{Command, Submission};
use cleave_kernel::Micros;
use std::collections::BTreeMap;

fn learn(world: &mut World) {
    let mut capped = terms(1, PricingModel::Cpc, 7, 1);
    capped.billing_cap = Some(Micros::new(20_000));
    let cpm = terms(0, PricingModel::Cpm, 1_234_567, 1000);
    for terms in [cpm, capped, terms(2, PricingModel::Flat, 99_999, 1)] {
        world.catalogue.learn_terms(terms);
    }
}

/// Many rows in up to three revisions each, in no order.
fn rows() -> Vec<DeliveryRow> {
    let mut rows = Vec::new();
    for index in 0..900_i64 {
        let scattered = index * 7919 % 900;
        let (key, revision) = (scattered / 3, scattered % 3 + 1);
        let narrow = |n: i64| u8::try_from(n).unwrap();
        let (item, unit, at) = (narrow(key % 3), narrow(key / 3 % 4), key / 12);
        rows.push(row(
            item,
            unit,
            at * 40,
            revision,
            key * 3 % 71 + revision * 5,
        ));
    }
    rows
}

fn progress(revision: i64) -> Progress {
    Progress {
        resume_token: format!("token-{revision}"),
        revision,
        as_of: hour(3),
        watermarks: BTreeMap::from([("own".to_owned(), hour(revision))]),
    }
}

#[tokio::test]
async fn whatever_the_batches_the_ledger_is_the_same() {
    for mut whole in World::on_each_engine().await {
        let mut parts = World::new(
            cleave_storage::testing::TestDatabase::on(whole.test.engine())
                .await
                .unwrap(),
        )
        .await;
        for world in [&mut whole, &mut parts] {
            learn(world);
            world.pay(100_000_000).await;
        }
        whole.rate(rows()).await;
        let mut shuffled = rows();
        shuffled.reverse();
        for (index, batch) in shuffled.chunks(17).enumerate() {
            let at = progress(i64::try_from(index).unwrap());
            parts.rate_with(batch.to_vec(), Some(at.clone())).await;
            if index % 5 == 0 {
                // The answer was lost: the same batch comes again.
                let again = parts.rate_with(batch.to_vec(), Some(at)).await;
                assert_eq!((again.rated, again.parked), (0, 0), "{:?}", parts.test);
            }
        }
        parts.rate(rows()).await;
        assert_eq!(
            whole.balances().await,
            parts.balances().await,
            "{:?}",
            parts.test
        );
        let (summary, findings) = parts.verify().await;
        assert!(findings.is_empty(), "{findings:#?}");
        assert_eq!(summary.rows, 300);
        whole.assert_clean().await;
        let stream = parts.store.delivery_progress().await.unwrap();
        assert_eq!(stream.resume_token, "token-52");
        assert_eq!(stream.watermarks["own"], hour(52));
    }
}

#[tokio::test]
async fn two_replicas_that_rate_the_same_stream_rate_it_once() {
    for mut world in World::on_each_engine().await {
        learn(&mut world);
        world.pay(100_000_000).await;
        let other = world.replica().await;
        let batches: Vec<_> = rows()
            .chunks(50)
            .map(|batch| world.catalogue.prepare(batch.to_vec()))
            .collect();
        let run = |store: billing_store::Store, batches: Vec<_>| async move {
            for rows in batches {
                let command = RateDelivery {
                    rows,
                    unreadable: Vec::new(),
                    progress: None,
                };
                let command = Command::RateDelivery(Box::new(command));
                let submission = Submission::internal(command);
                store.submit(submission).await.unwrap().unwrap();
            }
        };
        let first = tokio::spawn(run(world.store.clone(), batches.clone()));
        let second = tokio::spawn(run(other, batches.into_iter().rev().collect()));
        first.await.unwrap();
        second.await.unwrap();
        let balances = world.balances().await;
        world.assert_clean().await;
        assert_eq!(world.rate(rows()).await.rated, 0, "{:?}", world.test);
        assert_eq!(world.balances().await, balances);
    }
}
