//! Following delivery.

use operations_store::delivery::{changes, head};

use crate::support::{Network, batch, hour, source};

#[tokio::test]
async fn given_pages_of_any_size_then_they_hold_each_row_once_in_order() {
    for network in Network::each_engine().await {
        network
            .report((0..8).map(|number| network.row(number, 0, 1, 1)).collect())
            .await;
        network.report(vec![network.row(3, 0, 2, 2)]).await;
        for limit in [1, 3, 8, 100] {
            let rows = network.watch_all(limit).await;
            assert_eq!(rows.len(), 8, "{:?}", network.test);
            assert!(rows.windows(2).all(|pair| pair[0].seq < pair[1].seq));
            assert_eq!(rows.last().map(|row| row.row.revision), Some(2));
        }
    }
}

#[tokio::test]
async fn given_a_watermark_then_it_comes_with_the_end_and_not_before_its_rows() {
    for network in Network::each_engine().await {
        let mut complete = batch((0..5).map(|number| network.row(number, 0, 1, 1)).collect());
        complete.complete_through = Some(hour(1));
        network.report_all(vec![complete]).await;

        let first = changes(network.db(), 0, 0, 3).await.expect("a page");
        assert!(
            first.watermarks.is_empty() && !first.at_head,
            "{:?}",
            network.test
        );
        let second = changes(network.db(), first.next, 0, 3)
            .await
            .expect("a page");
        assert!(second.at_head);
        assert_eq!(second.rows.len(), 2);
        assert_eq!(second.watermarks.len(), 1, "{:?}", network.test);
        let watermark = &second.watermarks[0];
        assert_eq!(watermark.source, source("adserver"));
        assert_eq!(watermark.complete_through, hour(1));
        assert!(watermark.seq <= second.next);
        assert!(second.rows.iter().all(|row| row.seq < watermark.seq));

        let third = changes(network.db(), second.next, second.next, 3)
            .await
            .expect("a page");
        assert!(third.rows.is_empty() && third.watermarks.is_empty() && third.at_head);
        assert_eq!(
            third.next,
            head(network.db().reader()).await.expect("a head").seq
        );
    }
}
