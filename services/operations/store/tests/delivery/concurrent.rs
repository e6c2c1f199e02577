//! Several writers and a reader at once.

use std::collections::HashMap;
use std::sync::Arc;

use cleave_storage::FeedSignal;
use operations_store::Store;
use operations_store::delivery::changes;

use crate::support::{Network, batch};

const WRITERS: i64 = 4;
const ROUNDS: i64 = 12;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn given_writers_on_several_replicas_then_the_highest_revision_stands_and_no_watcher_skips() {
    for network in Network::each_engine().await {
        let network = Arc::new(network);
        let mut writers = Vec::new();
        for writer in 0..WRITERS {
            let network = Arc::clone(&network);
            let store = Store::new(network.test.replica().await, FeedSignal::POLL);
            writers.push(tokio::spawn(async move {
                for round in 0..ROUNDS {
                    // All writers fight over the same keys with interleaved revisions.
                    let revision = 1 + round * WRITERS + writer;
                    let rows = (0..8).map(|number| network.row(number, 0, revision, revision));
                    let batches = [batch(rows.collect())];
                    let outcome = network.try_report(&store, &batches).await;
                    outcome.unwrap_or_else(|error| panic!("{:?}: {error:?}", network.test));
                }
            }));
        }
        let watching = {
            let network = Arc::clone(&network);
            let highest = ROUNDS * WRITERS;
            tokio::spawn(async move {
                let mut seen: HashMap<_, i64> = HashMap::new();
                let mut after = 0;
                while seen.len() < 8 || seen.values().any(|revision| *revision < highest) {
                    let page = changes(network.db(), after, 0, 3).await.expect("a page");
                    for row in page.rows {
                        assert!(row.seq > after, "{:?}", network.test);
                        let known = seen.entry(row.row.key).or_insert(0);
                        assert!(
                            row.row.revision > *known,
                            "{:?}: a row went back",
                            network.test
                        );
                        *known = row.row.revision;
                    }
                    after = page.next;
                    tokio::task::yield_now().await;
                }
            })
        };
        for writer in writers {
            writer.await.expect("the writer ends");
        }
        let limit = std::time::Duration::from_secs(60);
        tokio::time::timeout(limit, watching)
            .await
            .expect("the watcher sees every key's last revision")
            .expect("the watcher ends");
    }
}
