//! What can be asked about delivery.

use cleave_kernel::Timestamp;
use cleave_storage::feed::FeedPosition;
use cleave_storage::{ResumeToken, TokenError, filter_hash};
use operations_domain::delivery::SourceName;
use operations_store::delivery::{
    self, DayDigest, DeliveryFilter, DeliveryHead, DeliveryPage, DeliveryPosition, FreezeOutcome,
    StoredRow,
};

use super::{App, Error, Request};

impl App {
    /// A page of rows by hour, and where the next one starts if there is one.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn list_delivery(
        &self,
        filter: &DeliveryFilter,
        after: Option<DeliveryPosition>,
        limit: usize,
    ) -> Result<(Vec<StoredRow>, Option<DeliveryPosition>, DeliveryHead), Error> {
        let head = self.delivery_head().await?;
        let (rows, next) = delivery::list(self.store.db(), filter, after, limit).await?;
        Ok((rows, next, head))
    }

    /// How far delivery has come.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn delivery_head(&self) -> Result<DeliveryHead, Error> {
        self.store
            .db()
            .read("delivery_head", |conn| async move {
                Ok::<_, Error>(delivery::head(conn).await?)
            })
            .await
    }

    /// The seq that a resume token stands for, 0 for an empty one.
    ///
    /// # Errors
    /// When the stream cannot go on from it.
    pub async fn resume_delivery(&self, token: &str) -> Result<i64, Error> {
        if token.is_empty() {
            return Ok(0);
        }
        let token = ResumeToken::decode(token).map_err(Error::ResumeToken)?;
        let head = self.delivery_head().await?;
        // Rows are never compacted away, only replaced by later ones.
        let position = FeedPosition {
            epoch: head.epoch,
            seq: head.seq,
            floor: 0,
        };
        token
            .check(&position, delivery_feed())
            .map_err(Error::ResumeToken)
    }

    /// What changed after `after`, watermarks after `watermarks_after`.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn delivery_changes(
        &self,
        after: i64,
        watermarks_after: i64,
        limit: u64,
    ) -> Result<DeliveryPage, Error> {
        let db = self.store.db();
        Ok(delivery::changes(db, after, watermarks_after, limit).await?)
    }

    /// Digests of the hours from `from` until `until`, and the seq at which they were read.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn delivery_digests(
        &self,
        source: Option<&SourceName>,
        from: Timestamp,
        until: Timestamp,
    ) -> Result<(Vec<DayDigest>, i64), Error> {
        let db = self.store.db();
        Ok(delivery::digests(db, source, from, until).await?)
    }

    /// Freezes the hours before `through` for good.
    ///
    /// # Errors
    /// When a source that has rows there has not reported completely.
    pub async fn freeze_delivery(
        &self,
        request: Request,
        through: Timestamp,
    ) -> Result<FreezeOutcome, Error> {
        self.mutate(&request, |unit| async move {
            Ok(delivery::freeze(&unit, through).await??)
        })
        .await
    }
}

/// The token to go on from after `seq`.
pub fn delivery_token(head: &DeliveryHead, seq: i64) -> String {
    let token = ResumeToken {
        epoch: head.epoch,
        seq,
        filter_hash: delivery_feed(),
    };
    token.encode()
}

/// The fault of a token whose history has ended while its stream ran.
pub fn history_ended() -> Error {
    Error::ResumeToken(TokenError::Expired(
        cleave_storage::token::Expiry::OtherEpoch,
    ))
}

/// Tells tokens of this stream from those of others.
fn delivery_feed() -> u64 {
    filter_hash(&[b"cleave.operations.v1.WatchDelivery"])
}
