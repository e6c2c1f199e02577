//! A migrated store on each engine.

use cleave_kernel::Timestamp;
use cleave_storage::testing::TestDatabase;
use cleave_storage::{FeedSignal, StorageError, migrate};
use operations_store::{Store, Unit};

/// The present of the tests.
pub(crate) const NOW: Timestamp = operations_domain::testing::NOW;

pub(crate) struct TestStore {
    pub(crate) test: TestDatabase,
    pub(crate) store: Store,
}

impl TestStore {
    pub(crate) async fn each_engine() -> Vec<Self> {
        let mut stores = Vec::new();
        for test in TestDatabase::each_engine().await {
            migrate::run(test.db(), &operations_store::migrations())
                .await
                .unwrap();
            let store = Store::new(test.db().clone(), FeedSignal::POLL);
            stores.push(Self { test, store });
        }
        stores
    }

    /// Runs `body` in a transaction that must succeed.
    pub(crate) async fn write<T, F, Fut>(&self, body: F) -> T
    where
        F: Fn(Unit) -> Fut,
        Fut: Future<Output = Result<T, StorageError>>,
    {
        let done = self.store.write("test", NOW, body).await;
        done.unwrap_or_else(|error| panic!("{:?}: {error:?}", self.test))
    }
}
