//! Tells readers of the feed that there is more: at once for commits of this process, after a poll for those
//! of others. One poller serves all readers, and rests while there are none.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::watch;
use tokio_util::sync::{CancellationToken, DropGuard};

use super::head;
use crate::Database;

/// The newest known seq of a feed; clones share it. The poller ends with the last clone.
#[derive(Clone)]
pub struct FeedSignal {
    newest: Arc<watch::Sender<i64>>,
    _poller: Arc<DropGuard>,
}

impl FeedSignal {
    /// How often the feed is polled for commits of other processes, unless another span is asked for.
    pub const POLL: Duration = Duration::from_millis(250);

    /// Watches the feed of `database`; the poller runs on the current runtime.
    pub fn spawn(database: Database, poll: Duration) -> Self {
        let newest = Arc::new(watch::Sender::new(0));
        let stop = CancellationToken::new();
        let polling = poll_feed(database, Arc::clone(&newest), poll);
        tokio::spawn(stop.clone().run_until_cancelled_owned(polling));
        Self {
            newest,
            _poller: Arc::new(stop.drop_guard()),
        }
    }

    /// To be called after a commit with the seq that [`append`](super::append) answered.
    pub fn committed(&self, seq: i64) {
        raise(&self.newest, seq);
    }

    /// A reader's end.
    pub fn subscribe(&self) -> FeedWatcher {
        FeedWatcher {
            newest: self.newest.subscribe(),
        }
    }
}

/// One reader's end of a [`FeedSignal`].
pub struct FeedWatcher {
    newest: watch::Receiver<i64>,
}

impl FeedWatcher {
    /// Waits until the feed is known to reach past `seq`, and answers how far. `None` once the signal is gone.
    pub async fn past(&mut self, seq: i64) -> Option<i64> {
        self.newest
            .wait_for(|newest| *newest > seq)
            .await
            .ok()
            .map(|newest| *newest)
    }
}

async fn poll_feed(database: Database, newest: Arc<watch::Sender<i64>>, every: Duration) {
    loop {
        if newest.receiver_count() > 0 {
            match head(database.reader()).await {
                Ok(position) => raise(&newest, position.seq),
                // The reader that the poll serves will meet the same error and report it.
                Err(error) => tracing::debug!(error.kind = error.kind(), "could not poll the feed"),
            }
        }
        tokio::time::sleep(every).await;
    }
}

fn raise(newest: &watch::Sender<i64>, seq: i64) {
    newest.send_if_modified(|known| {
        let further = seq > *known;
        if further {
            *known = seq;
        }
        further
    });
}
