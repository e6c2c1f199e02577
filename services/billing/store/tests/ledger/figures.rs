//! The sums of all money are those of its parts, and tell when debits and credits differ.

use crate::support::{Bench, reserve};
use billing_store::MoneyFigures;
use sea_orm::ConnectionTrait;
use sea_orm::sea_query::{Expr, ExprTrait, Query};
use std::time::Duration;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn given_balances_credit_and_holds_when_summed_then_each_is_told() {
    for bench in Bench::each_engine(1).await {
        let store = bench.store();
        // given two who paid, one of them with credit, and a hold
        let (advertiser, _) = bench.advertiser(50, 100).await;
        bench.advertiser(0, 200).await;
        let held = reserve(store, advertiser, 60).await.unwrap();

        // when
        let figures = store.money_figures().await.unwrap();
        let reservations = store.reservation_figures().await.unwrap();

        // then
        let figures: Vec<_> = figures.into_values().collect();
        let expected = MoneyFigures {
            held: 60,
            free: 50 + 100 + 200 - 60,
            ..MoneyFigures::default()
        };
        assert_eq!(figures, [expected], "{:?}", bench.database);
        assert_eq!(reservations.live, 1);
        assert!(
            reservations
                .first_due
                .is_some_and(|due| due <= held.reservation.settle_until)
        );

        // and one whose time has passed is due
        bench.clock.advance(Duration::from_secs(3600));
        let late = store
            .reservation_figures()
            .await
            .unwrap()
            .first_due
            .unwrap();
        assert!(late < cleave_kernel::Clock::now(&*bench.clock));
        bench.close().await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn given_a_counter_that_somebody_changed_when_summed_then_the_imbalance_is_told() {
    for bench in Bench::each_engine(1).await {
        let (_, account) = bench.advertiser(0, 100).await;
        let tamper = Query::update()
            .table("ledger_accounts")
            .value("credits_posted", Expr::col("credits_posted").add(1_i64))
            .and_where(Expr::col("account_id").eq(account.uuid()))
            .and_where(Expr::col("code").eq(2_i16))
            .to_owned();
        bench
            .database
            .db()
            .transaction("tamper", |txn| {
                let tamper = tamper.clone();
                async move {
                    txn.execute(&tamper).await?;
                    Ok::<_, cleave_storage::StorageError>(())
                }
            })
            .await
            .unwrap();

        let figures = bench.store().money_figures().await.unwrap();

        let imbalances: Vec<_> = figures.values().map(|of| of.posted_imbalance).collect();
        assert_eq!(imbalances, [-1], "{:?}", bench.database);
        bench.close().await;
    }
}
