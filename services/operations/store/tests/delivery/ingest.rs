//! Taking rows in.

use operations_domain::delivery::{DeliveryReason, DeliveryRow, RowRefusal};
use operations_store::delivery::{BatchOutcome, days_of, last_hours, moved_since};

use crate::support::{Network, batch, hour, source};

fn counts(outcome: &BatchOutcome) -> (i64, i64, i64, usize) {
    let BatchOutcome {
        inserted,
        updated,
        stale,
        refused,
        ..
    } = outcome;
    (*inserted, *updated, *stale, refused.len())
}

#[tokio::test]
async fn given_rows_when_reported_again_then_nothing_changes() {
    for network in Network::each_engine().await {
        let rows: Vec<DeliveryRow> = (0..1500)
            .map(|number| network.row(number, (number / 8).try_into().unwrap_or(0) % 40, 1, 10))
            .collect();
        let mut unique = rows.clone();
        unique.sort_by(|left, right| left.key.cmp(&right.key));
        unique.dedup_by(|left, right| left.key == right.key);
        let first = network.report(unique.clone()).await;
        assert_eq!(counts(&first), (320, 0, 0, 0), "{:?}", network.test);

        let again = network.report(unique).await;
        assert_eq!(counts(&again), (0, 0, 320, 0), "{:?}", network.test);
        assert_eq!(again.seq, first.seq, "{:?}", network.test);
        assert_eq!(network.watch_all(100).await.len(), 320);
    }
}

#[tokio::test]
async fn given_revisions_in_any_order_and_batching_then_the_highest_stands() {
    for network in Network::each_engine().await {
        let mut rows: Vec<DeliveryRow> = (1..=9)
            .flat_map(|revision| (0..8).map(move |number| (number, revision)))
            .map(|(number, revision)| network.row(number, 0, revision, 100 - revision))
            .collect();
        let mut random = fastrand::Rng::with_seed(7);
        random.shuffle(&mut rows);
        // Batches of one gather, each with at most one row of a key.
        let batches = rows.into_iter().map(|row| batch(vec![row])).collect();
        let outcomes = network.report_all(batches).await;

        let inserted: i64 = outcomes.iter().map(|outcome| outcome.inserted).sum();
        assert_eq!(inserted, 8, "{:?}", network.test);
        let stored = network.watch_all(3).await;
        assert_eq!(stored.len(), 8);
        for row in stored {
            assert_eq!((row.row.revision, row.row.counts.impressions), (9, 91));
        }
        let totals = days_of(network.db().reader(), &network.line_items).await;
        let totals = totals.expect("totals");
        let impressions: i64 = totals.iter().map(|day| day.counts.impressions).sum();
        assert_eq!(impressions, 8 * 91, "{:?}", network.test);
    }
}

#[tokio::test]
async fn given_a_correction_then_totals_move_by_the_difference_and_say_so() {
    for network in Network::each_engine().await {
        let first = network
            .report(vec![network.row(0, 0, 1, 100), network.row(1, 0, 1, 50)])
            .await;
        let correction = DeliveryRow {
            reason: DeliveryReason::Ivt,
            ..network.row(0, 0, 2, 60)
        };
        network.report(vec![correction]).await;

        let (moved, seq) = moved_since(network.db().reader(), first.seq, 10)
            .await
            .expect("moved");
        assert_eq!(moved, [network.line_items[0]], "{:?}", network.test);
        assert_eq!(seq, first.seq + 1);
        let totals = days_of(network.db().reader(), &moved)
            .await
            .expect("totals");
        assert_eq!(totals.len(), 1);
        assert_eq!(totals[0].counts.impressions, 60);
        let (all, _) = moved_since(network.db().reader(), 0, 1)
            .await
            .expect("moved");
        assert_eq!(all.len(), 1, "{:?}", network.test);
    }
}

#[tokio::test]
async fn given_rows_of_unknown_things_then_each_is_refused_by_itself() {
    for network in Network::each_engine().await {
        let good = network.row(0, 0, 1, 1);
        let mut line_item = network.row(1, 0, 1, 1);
        line_item.key.line_item = cleave_kernel::LineItemId::generate();
        let mut terms = network.row(2, 0, 1, 1);
        terms.key.terms_version = 2;
        let mut ad_unit = network.row(3, 0, 1, 1);
        ad_unit.key.ad_unit = cleave_kernel::AdUnitId::generate();
        let rows = vec![line_item, good, terms, ad_unit];

        // Twice: the second time some answers come from memory.
        for inserted in [1, 0] {
            let outcome = network.report(rows.clone()).await;
            assert_eq!(outcome.inserted, inserted, "{:?}", network.test);
            assert_eq!(
                outcome.refused,
                [
                    (0, RowRefusal::UnknownLineItem),
                    (2, RowRefusal::UnknownTerms),
                    (3, RowRefusal::UnknownAdUnit),
                ],
                "{:?}",
                network.test
            );
        }
    }
}

#[tokio::test]
async fn given_a_complete_hour_then_only_rows_with_a_reason_enter_it() {
    for network in Network::each_engine().await {
        let mut complete = batch(vec![network.row(0, 0, 1, 1)]);
        complete.complete_through = Some(hour(1));
        let resent = complete.clone();
        let live = batch(vec![network.row(1, 0, 1, 1), network.row(1, 1, 1, 1)]);
        let late = DeliveryRow {
            reason: DeliveryReason::Late,
            ..network.row(2, 0, 1, 1)
        };
        let mut back = batch(vec![late]);
        back.complete_through = Some(hour(-5));
        let outcomes = network.report_all(vec![complete, live, back, resent]).await;

        assert_eq!(counts(&outcomes[0]), (1, 0, 0, 0));
        assert_eq!(
            outcomes[1].refused,
            [(0, RowRefusal::BehindWatermark)],
            "{:?}",
            network.test
        );
        assert_eq!(counts(&outcomes[2]), (1, 0, 0, 0));
        assert_eq!(outcomes[2].complete_through, Some(hour(1)));
        // A report may be sent again as a whole, its watermark notwithstanding.
        assert_eq!(counts(&outcomes[3]), (0, 0, 1, 0));
    }
}

#[tokio::test]
async fn given_two_sources_then_their_rows_and_watermarks_are_apart() {
    for network in Network::each_engine().await {
        let mut ours = batch(vec![network.row(0, 0, 1, 5)]);
        ours.complete_through = Some(hour(1));
        let mut row = network.row(0, 0, 1, 7);
        row.key.source = source("counter");
        let mut theirs = batch(vec![row]);
        theirs.source = source("counter");
        let outcomes = network.report_all(vec![ours, theirs]).await;

        assert!(outcomes.iter().all(|outcome| outcome.inserted == 1));
        assert_eq!(outcomes[1].complete_through, None, "{:?}", network.test);
        let hours = last_hours(network.db().reader(), &network.ad_units).await;
        let hours = hours.expect("hours");
        assert_eq!(hours.len(), 1);
        assert_eq!(hours.get(&network.ad_units[0]), Some(&hour(0)));
    }
}
