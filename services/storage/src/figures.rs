//! The figures of a database for the metrics: how its connections are used, how far its feed reaches.

use std::sync::{Arc, Mutex, PoisonError};

use metrics::{Unit, counter, describe_counter, describe_gauge, gauge};
use uuid::Uuid;

use crate::{Database, StorageError, feed};

/// Publishes the figures of one service's database. Clones publish the same.
#[derive(Debug, Clone)]
pub struct Figures {
    service: &'static str,
    feed: &'static str,
    database: Database,
    /// The history that was last seen.
    epoch: Arc<Mutex<Option<Uuid>>>,
}

impl Figures {
    /// Those of the database of `service`, whose change feed others know as `feed`.
    pub fn new(service: &'static str, feed: &'static str, database: Database) -> Self {
        Self {
            service,
            feed,
            database,
            epoch: Arc::default(),
        }
    }

    /// Tells the recorder what they mean. To be called once it is there.
    pub fn describe() {
        for (name, meaning) in [
            (
                "storage_connections",
                "Connections that the pool may have at most",
            ),
            (
                "storage_connections_in_use",
                "Connections in use at the moment",
            ),
            (
                "storage_feed_head",
                "Number of the newest change in each feed of the service",
            ),
            (
                "storage_feed_cursor",
                "Number of the last change that the service took from a feed of another",
            ),
            (
                "storage_feed_epoch_info",
                "1 for the history of the feed that is current; a restore begins another",
            ),
        ] {
            describe_gauge!(name, meaning);
        }
        for (name, meaning) in [
            (
                "storage_connection_waits_total",
                "Times that all connections were in use and somebody had to wait",
            ),
            (
                "storage_connection_timeouts_total",
                "Times that no connection came free in time",
            ),
            (
                "storage_transaction_retries_total",
                "Transactions tried again, by why",
            ),
            (
                "storage_gather_overloaded_total",
                "Requests refused because too many waited to be gathered",
            ),
            (
                "storage_cut_total",
                "Statements ended because nobody waited for them any more",
            ),
        ] {
            describe_counter!(name, meaning);
        }
        describe_counter!(
            "storage_connection_wait_microseconds_total",
            Unit::Microseconds,
            "Time that was spent waiting for a connection"
        );
        metrics::describe_histogram!(
            "storage_transaction_seconds",
            Unit::Seconds,
            "Time of each transaction, its repetitions included"
        );
        metrics::describe_histogram!(
            "storage_gather_batch_size",
            "Requests answered by one statement or transaction"
        );
    }

    /// Reads and publishes them.
    ///
    /// # Errors
    /// When the database fails; how its connections are used is published all the same.
    pub async fn publish(&self) -> Result<(), StorageError> {
        self.publish_pools();
        let position = feed::head(self.database.reader()).await?;
        self.publish_head(self.feed, position.seq);
        self.publish_epoch(position.epoch);
        Ok(())
    }

    /// Publishes how far a feed of this service reaches.
    pub fn publish_head(&self, feed: &'static str, seq: i64) {
        gauge!("storage_feed_head", "service" => self.service, "feed" => feed).set(rounded(seq));
    }

    /// Publishes how far a feed of another service was followed.
    pub fn publish_cursor(&self, feed: &'static str, revision: i64) {
        gauge!("storage_feed_cursor", "service" => self.service, "feed" => feed)
            .set(rounded(revision));
    }

    fn publish_pools(&self) {
        let service = self.service;
        for (pool, lanes) in self.database.pools() {
            let (all, used) = lanes.use_now();
            let queue = lanes.queue();
            gauge!("storage_connections", "service" => service, "pool" => pool).set(small(all));
            gauge!("storage_connections_in_use", "service" => service, "pool" => pool)
                .set(small(used));
            counter!("storage_connection_waits_total", "service" => service, "pool" => pool)
                .absolute(queue.waits());
            counter!("storage_connection_timeouts_total", "service" => service, "pool" => pool)
                .absolute(queue.timeouts());
            let waited = u64::try_from(queue.waited().as_micros()).unwrap_or(u64::MAX);
            counter!("storage_connection_wait_microseconds_total", "service" => service, "pool" => pool)
                .absolute(waited);
        }
    }

    fn publish_epoch(&self, epoch: Uuid) {
        let show = |epoch: Uuid, value: u8| {
            let epoch = epoch.to_string();
            gauge!("storage_feed_epoch_info", "service" => self.service, "epoch" => epoch)
                .set(value);
        };
        let mut known = self.epoch.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(before) = known.replace(epoch)
            && before != epoch
        {
            show(before, 0);
        }
        show(epoch, 1);
    }
}

/// Gauges are floating-point numbers; what they show needs no exactness beyond 2^53.
#[expect(
    clippy::as_conversions,
    reason = "the standard library has no conversion that rounds"
)]
const fn rounded(number: i64) -> f64 {
    number as f64
}

fn small(number: usize) -> u32 {
    u32::try_from(number).unwrap_or(u32::MAX)
}
