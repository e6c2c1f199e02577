//! What Billing may know of the catalogue: lookups, and what changed since some position of the feed.

use std::collections::HashMap;

use cleave_kernel::Timestamp;
use cleave_storage::feed::{self, FeedPosition};
use operations_domain::Party;
use operations_store::Topic;
use operations_store::catalog::{self, Subject};
use uuid::Uuid;

use super::{App, Error};

/// Most changes looked at for one message.
const BATCH: u64 = 500;

/// One helping of the feed.
#[derive(Debug, Clone)]
pub struct CatalogPage {
    /// What changed, in the order of the changes.
    pub changes: Vec<Subject>,
    /// Where to go on.
    pub next: i64,
    /// Whether there is more for certain.
    pub more: bool,
    /// When it was read.
    pub as_of: Timestamp,
}

impl App {
    /// How far the feed reaches.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn feed_position(&self) -> Result<FeedPosition, Error> {
        let db = self.store.db();
        db.read(
            "feed_head",
            |conn| async move { Ok(feed::head(conn).await?) },
        )
        .await
    }

    /// What changed after `after`.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn catalog_changes(&self, after: i64) -> Result<CatalogPage, Error> {
        let as_of = self.clock.now();
        let topics = catalog::TOPICS.map(Topic::number);
        let topics = &topics;
        self.store
            .db()
            .read("catalog_changes", |conn| async move {
                let page = feed::read_topics(conn, after, topics, BATCH).await?;
                let subjects: Vec<(Topic, Uuid)> = page
                    .rows
                    .iter()
                    .filter_map(|row| Some((Topic::from_number(row.topic)?, row.subject)))
                    .collect();
                Ok(CatalogPage {
                    changes: catalog::load(conn, &subjects).await?,
                    next: page.next,
                    more: page.more,
                    as_of,
                })
            })
            .await
    }

    /// Parties by their ids, in their order.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn get_parties(&self, ids: &[Party]) -> Result<Vec<Option<Subject>>, Error> {
        let subjects: Vec<(Topic, Uuid)> = ids
            .iter()
            .map(|id| match id {
                Party::Advertiser(id) => (Topic::Advertiser, id.uuid()),
                Party::Publisher(id) => (Topic::Publisher, id.uuid()),
            })
            .collect();
        let subjects = &subjects;
        let found: HashMap<Uuid, Subject> = self
            .store
            .db()
            .read("get_parties", |conn| async move {
                Ok::<_, Error>(catalog::load(conn, subjects).await?)
            })
            .await?
            .into_iter()
            .map(|subject| (subject.uuid(), subject))
            .collect();
        Ok(ids
            .iter()
            .map(|id| found.get(&id.uuid()).cloned())
            .collect())
    }
}
