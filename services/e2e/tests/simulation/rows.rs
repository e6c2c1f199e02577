//! Operations' database: rows of delivery in memory, under the domain's rules. It outlives every replica.

use operations_domain::delivery::{Admission, DeliveryKey, DeliveryRow, Gates};
use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};
use tokio::sync::Notify;
use tokio::sync::futures::Notified;

/// Rows, each with the position of its last change.
pub(crate) type Rows = BTreeMap<DeliveryKey, (DeliveryRow, i64)>;

/// The rows behind a lock, and a signal for those who follow them.
pub(crate) struct Delivery {
    rows: Mutex<(Rows, i64)>,
    grown: Notify,
}

impl Delivery {
    /// No rows.
    pub(crate) fn new() -> Self {
        Self {
            rows: Mutex::default(),
            grown: Notify::new(),
        }
    }

    /// Takes a report in, in one transaction; tells how many of its rows were news.
    pub(crate) fn report(&self, reported: Vec<DeliveryRow>) -> i64 {
        let mut guard = self.rows.lock().unwrap_or_else(PoisonError::into_inner);
        let (rows, head) = &mut *guard;
        let mut news = 0;
        for row in reported {
            let stored = rows.get(&row.key).map(|(row, _)| row.revision);
            if matches!(
                row.admit(stored, &Gates::default()),
                Admission::Insert | Admission::Update
            ) {
                *head += 1;
                news += 1;
                rows.insert(row.key.clone(), (row, *head));
            }
        }
        self.grown.notify_waiters();
        news
    }

    /// The rows that changed after a position, in the order of their changes, and how far they reach.
    pub(crate) fn after(&self, position: i64) -> (Vec<DeliveryRow>, i64) {
        let guard = self.rows.lock().unwrap_or_else(PoisonError::into_inner);
        let rows = &guard.0;
        let mut news: Vec<_> = rows
            .values()
            .filter(|(_, at)| *at > position)
            .cloned()
            .collect();
        news.sort_by_key(|(_, at)| *at);
        let reached = news.last().map_or(position, |(_, at)| *at);
        (news.into_iter().map(|(row, _)| row).collect(), reached)
    }

    /// Tells when there is more.
    pub(crate) fn grown(&self) -> Notified<'_> {
        self.grown.notified()
    }

    /// Every row, by key, with its revision and impressions.
    pub(crate) fn totals(&self) -> BTreeMap<DeliveryKey, (i64, i64)> {
        let guard = self.rows.lock().unwrap_or_else(PoisonError::into_inner);
        let rows = &guard.0;
        let total = |row: &DeliveryRow| (row.revision, row.counts.impressions);
        rows.iter()
            .map(|(key, (row, _))| (key.clone(), total(row)))
            .collect()
    }
}
