//! `WatchDelivery`: pages by seq, then waits for more, and says so while there is none.

use cleave_contracts::operations::v1 as pb;
use cleave_kernel::Violation;
use cleave_storage::feed::FeedWatcher;
use futures::Stream;
use operations_store::delivery::{DeliveryHead, DeliveryPage};
use tonic::Status;

use super::convert;
use crate::app::{App, Error, delivery_token, history_ended};
use crate::rpc::Watching;
use crate::rpc::convert::time;

/// Rows of a message when the caller asks for no number.
const USUAL_ROWS: u64 = 1000;
/// Most rows of a message.
const MOST_ROWS: u64 = 5000;

struct Watch {
    app: App,
    watching: Watching,
    changes: FeedWatcher,
    limit: u64,
    /// The seq up to which rows were sent.
    after: i64,
    /// The seq up to which watermarks were sent.
    watermarks_after: i64,
    /// What the last look found; nothing before the first.
    head: Option<DeliveryHead>,
    /// Whether the caller was told that it has everything.
    told_head: bool,
    ended: bool,
}

/// The stream of changes that `message` asks for.
pub(super) async fn watch(
    app: &App,
    watching: &Watching,
    message: pb::WatchDeliveryRequest,
) -> Result<impl Stream<Item = Result<pb::WatchDeliveryResponse, Status>> + Send + use<>, Status> {
    let limit = limit(message.max_batch_rows).map_err(Error::from)?;
    let after = app.resume_delivery(&message.resume_token).await?;
    let watch = Watch {
        app: app.clone(),
        watching: watching.clone(),
        changes: app.store().signal().subscribe(),
        limit,
        after,
        watermarks_after: 0,
        head: None,
        told_head: false,
        ended: false,
    };
    Ok(futures::stream::unfold(watch, |mut watch| async move {
        let message = watch.next().await?;
        Some((message, watch))
    }))
}

fn limit(asked: i32) -> Result<u64, Violation> {
    match u64::try_from(asked) {
        Ok(0) => Ok(USUAL_ROWS),
        Ok(rows) => Ok(rows.min(MOST_ROWS)),
        Err(_) => Err(Violation::new(
            "max_batch_rows",
            "NEGATIVE",
            "a number of rows is not negative",
        )),
    }
}

impl Watch {
    /// The next message; nothing after the one that ended the stream.
    async fn next(&mut self) -> Option<Result<pb::WatchDeliveryResponse, Status>> {
        if self.ended {
            return None;
        }
        let drain = self.watching.drain.clone();
        let message = tokio::select! {
            biased;
            () = drain.token().cancelled() => Err(Error::ShuttingDown.into()),
            message = self.look() => message.map_err(Status::from),
        };
        self.ended = message.is_err();
        Some(message)
    }

    /// Waits until there is something to say.
    async fn look(&mut self) -> Result<pb::WatchDeliveryResponse, Error> {
        let silence = tokio::time::sleep(self.watching.heartbeat);
        tokio::pin!(silence);
        loop {
            if self.told_head {
                let known = self.head.map_or(0, |head| head.feed_seq);
                tokio::select! {
                    biased;
                    more = self.changes.past(known) => {
                        if more.is_none() {
                            return Err(Error::ShuttingDown);
                        }
                    }
                    () = &mut silence => return self.heartbeat().await,
                }
            }
            let (as_of, page) = self.read().await?;
            if !page.rows.is_empty() || !page.watermarks.is_empty() || !self.told_head {
                return Ok(self.message(as_of, page));
            }
        }
    }

    async fn read(&mut self) -> Result<(cleave_kernel::Timestamp, DeliveryPage), Error> {
        let as_of = self.app.clock().now();
        let page = self
            .app
            .delivery_changes(self.after, self.watermarks_after, self.limit)
            .await?;
        if self.head.is_some_and(|head| head.epoch != page.head.epoch) {
            return Err(history_ended());
        }
        self.head = Some(page.head);
        self.after = page.next;
        if page.at_head {
            self.watermarks_after = page.next;
        }
        Ok((as_of, page))
    }

    fn message(
        &mut self,
        as_of: cleave_kernel::Timestamp,
        page: DeliveryPage,
    ) -> pb::WatchDeliveryResponse {
        self.told_head = page.at_head;
        let watermarks = page.watermarks.iter();
        pb::WatchDeliveryResponse {
            digest: convert::digest_of(&page.rows),
            heartbeat: page.rows.is_empty() && page.watermarks.is_empty(),
            watermarks: watermarks.map(convert::watermark).collect(),
            rows: page
                .rows
                .iter()
                .map(|row| convert::row(row, &page.gates))
                .collect(),
            resume_token: delivery_token(&page.head, page.next),
            as_of: time(as_of),
            revision: page.next,
        }
    }

    /// Says that nothing has changed; reads first, so that what it says is true now.
    async fn heartbeat(&mut self) -> Result<pb::WatchDeliveryResponse, Error> {
        let (as_of, page) = self.read().await?;
        Ok(self.message(as_of, page))
    }
}
