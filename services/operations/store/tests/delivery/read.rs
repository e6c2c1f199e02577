//! Lists and digests.

use operations_domain::delivery::{DeliveryCounts, DeliveryRow};
use operations_domain::delivery_digest::DeliveryDigest;
use operations_store::delivery::{DeliveryFilter, digests, list};

use crate::support::{Network, hour, source};

async fn listed(network: &Network, filter: &DeliveryFilter, limit: usize) -> Vec<DeliveryRow> {
    let mut rows = Vec::new();
    let mut position = None;
    loop {
        let (page, next) = list(network.db(), filter, position, limit)
            .await
            .expect("a page");
        assert!(page.len() <= limit);
        rows.extend(page.into_iter().map(|row| row.row));
        position = next;
        if position.is_none() {
            return rows;
        }
    }
}

#[tokio::test]
async fn given_filters_then_pages_hold_what_fits_them_by_hour() {
    for network in Network::each_engine().await {
        let rows: Vec<DeliveryRow> = (0..8)
            .flat_map(|number| (0..5).map(move |hours| (number, hours)))
            .map(|(number, hours)| network.row(number, hours, 1, 1))
            .collect();
        network.report(rows).await;
        let all = DeliveryFilter::default();
        let everything = listed(&network, &all, 7).await;
        assert_eq!(everything.len(), 40, "{:?}", network.test);
        assert!(
            everything
                .windows(2)
                .all(|pair| pair[0].key.hour <= pair[1].key.hour)
        );
        assert_eq!(listed(&network, &all, 40).await, everything);

        let cases = [
            (
                DeliveryFilter {
                    from: Some(hour(3)),
                    ..all.clone()
                },
                16,
            ),
            (
                DeliveryFilter {
                    until: Some(hour(3)),
                    ..all.clone()
                },
                24,
            ),
            (
                DeliveryFilter {
                    line_item: Some(network.line_items[0]),
                    ..all.clone()
                },
                10,
            ),
            (
                DeliveryFilter {
                    ad_unit: Some(network.ad_units[0]),
                    ..all.clone()
                },
                5,
            ),
            (
                DeliveryFilter {
                    source: Some(source("nobody")),
                    ..all.clone()
                },
                0,
            ),
            (
                DeliveryFilter {
                    line_item: Some(network.line_items[1]),
                    from: Some(hour(1)),
                    until: Some(hour(2)),
                    ..all.clone()
                },
                2,
            ),
        ];
        for (filter, expected) in cases {
            assert_eq!(
                listed(&network, &filter, 3).await.len(),
                expected,
                "{filter:?} {:?}",
                network.test
            );
        }
    }
}

#[tokio::test]
async fn given_rows_then_digests_sum_each_source_and_day() {
    for network in Network::each_engine().await {
        let rows: Vec<DeliveryRow> = (0..8)
            .flat_map(|number| (0..30).map(move |hours| (number, hours)))
            .map(|(number, hours)| network.row(number, hours, 1, 3))
            .collect();
        network.report(rows.clone()).await;
        let (days, seq) = digests(network.db(), None, hour(0), hour(30))
            .await
            .expect("digests");

        assert_eq!(seq, 240, "{:?}", network.test);
        assert_eq!(days.iter().map(|day| day.rows).sum::<i64>(), 240);
        assert!(days.iter().all(|day| day.counts
            == DeliveryCounts {
                impressions: day.rows * 3,
                ..DeliveryCounts::default()
            }));
        let digest: DeliveryDigest = days.iter().map(|day| day.digest).collect();
        let expected: DeliveryDigest = rows
            .iter()
            .map(|row| DeliveryDigest::of_row(&row.key, row.revision, &row.counts))
            .collect();
        assert_eq!(digest, expected, "{:?}", network.test);
        let (none, _) = digests(network.db(), Some(&source("nobody")), hour(0), hour(30))
            .await
            .expect("digests");
        assert!(none.is_empty());
    }
}
