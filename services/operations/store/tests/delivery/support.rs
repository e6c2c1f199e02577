//! A network to report delivery of.

use crate::catalogue;
use cleave_kernel::{AdUnitId, LineItemId, Timestamp};
use cleave_storage::FeedSignal;
use cleave_storage::testing::TestDatabase;
use cleave_storage::{Database, StorageError, migrate};
use jiff::tz::TimeZone;
use operations_domain::delivery::{
    DeliveryCounts, DeliveryKey, DeliveryReason, DeliveryRow, SourceName,
};
use operations_store::Store;
use operations_store::delivery::{
    Batch, BatchOutcome, KnownReferences, StoredRow, changes, ingest,
};

pub(crate) const HOUR: i64 = 3_600_000_000;
/// An hour in 2023, and the present of the tests: two days later.
pub(crate) const FIRST_HOUR: i64 = 472_222;
pub(crate) const NOW: Timestamp = Timestamp::from_micros((FIRST_HOUR + 48) * HOUR);

pub(crate) struct Network {
    pub(crate) test: TestDatabase,
    pub(crate) store: Store,
    pub(crate) known: KnownReferences,
    pub(crate) line_items: Vec<LineItemId>,
    pub(crate) ad_units: Vec<AdUnitId>,
}

impl Network {
    /// A network of a few line items, each with version 1 of its terms, and ad units, on each engine.
    pub(crate) async fn each_engine() -> Vec<Self> {
        let mut networks = Vec::new();
        for test in TestDatabase::each_engine().await {
            migrate::run(test.db(), &operations_store::migrations())
                .await
                .expect("the migrations run");
            let mut network = Self {
                store: Store::new(test.db().clone(), FeedSignal::POLL),
                known: KnownReferences::default(),
                line_items: Vec::new(),
                ad_units: Vec::new(),
                test,
            };
            (network.line_items, network.ad_units) = catalogue::plant(&network.store).await;
            networks.push(network);
        }
        networks
    }

    pub(crate) fn db(&self) -> &Database {
        self.test.db()
    }

    /// A row of line item and ad unit number `number`, `hours` after the first hour.
    pub(crate) fn row(
        &self,
        number: usize,
        hours: i64,
        revision: i64,
        impressions: i64,
    ) -> DeliveryRow {
        DeliveryRow {
            key: DeliveryKey {
                source: source("adserver"),
                line_item: self.line_items[number % self.line_items.len()],
                terms_version: 1,
                ad_unit: self.ad_units[number % self.ad_units.len()],
                hour: hour(hours),
            },
            revision,
            counts: DeliveryCounts {
                impressions,
                ..DeliveryCounts::default()
            },
            reason: DeliveryReason::Live,
        }
    }

    pub(crate) async fn report(&self, rows: Vec<DeliveryRow>) -> BatchOutcome {
        self.report_all(vec![batch(rows)]).await.remove(0)
    }

    pub(crate) async fn report_all(&self, batches: Vec<Batch>) -> Vec<BatchOutcome> {
        self.try_report(&self.store, &batches)
            .await
            .unwrap_or_else(|error| panic!("{:?}: {error:?}", self.test))
    }

    pub(crate) async fn try_report(
        &self,
        store: &Store,
        batches: &[Batch],
    ) -> Result<Vec<BatchOutcome>, StorageError> {
        ingest(store, &self.known, batches, &TimeZone::UTC, NOW).await
    }

    /// Everything there is, as a watcher gets it, in pages of `limit`.
    pub(crate) async fn watch_all(&self, limit: u64) -> Vec<StoredRow> {
        let mut rows = Vec::new();
        let mut after = 0;
        loop {
            let page = changes(self.db(), after, 0, limit).await.expect("a page");
            rows.extend(page.rows);
            after = page.next;
            if page.at_head {
                return rows;
            }
        }
    }
}

pub(crate) fn source(name: &str) -> SourceName {
    SourceName::new(name).expect("a name")
}

pub(crate) fn hour(hours: i64) -> Timestamp {
    Timestamp::from_micros((FIRST_HOUR + hours) * HOUR)
}

pub(crate) fn batch(rows: Vec<DeliveryRow>) -> Batch {
    Batch {
        source: source("adserver"),
        rows,
        complete_through: None,
    }
}
