//! Operations, through its generated client.

use super::convert::{self, Malformed, ShareSpan};
use crate::rpc::convert::time;
use billing_domain::catalogue::Catalogue;
use billing_domain::delivery::DeliveryRow;
use billing_domain::parked_row::UnreadableRow;
use billing_domain::terms::Terms;
use cleave_kernel::{AdUnitId, LineItemId, Timestamp};
use cleave_mesh::CallError;
use cleave_mesh::follow::Messages;
use operations_client::{OperationsClient, digest, pb};
use std::collections::BTreeMap;
use std::time::Duration;
use tonic::Code;

/// Rows in one message of the stream.
const ROWS: i32 = 5000;
/// Keys in one lookup.
const KEYS: usize = 1000;
/// The span in which a share is known ends just after the instant that it was asked for.
const MOMENT: Duration = Duration::from_micros(1);

/// Calls Operations. Clones share the channel.
#[derive(Debug, Clone)]
pub(crate) struct Operations {
    client: OperationsClient,
}

/// One message of the delivery stream.
#[derive(Debug, Clone)]
pub(crate) struct Batch {
    pub(crate) rows: Vec<DeliveryRow>,
    pub(crate) unreadable: Vec<UnreadableRow>,
    pub(crate) resume_token: String,
    pub(crate) revision: i64,
    pub(crate) as_of: Timestamp,
    pub(crate) watermarks: BTreeMap<String, Timestamp>,
    /// Whether the stream has reached the end of the feed with it.
    pub(crate) at_head: bool,
}

/// Why the stream cannot go on.
#[derive(Debug, thiserror::Error)]
pub(crate) enum StreamError {
    /// The place in it is gone: it has to be read from the beginning.
    #[error("the resume token is no longer good")]
    Expired,
    /// The call failed.
    #[error("the call failed")]
    Call(#[source] CallError),
    /// A message does not keep the contract.
    #[error("a message does not keep the contract")]
    Malformed(#[from] Malformed),
    /// What arrived is not what was sent.
    #[error("the rows of a message do not match its digest")]
    Corrupted,
}

impl From<CallError> for StreamError {
    fn from(error: CallError) -> Self {
        match error.code {
            Code::OutOfRange => Self::Expired,
            _ => Self::Call(error),
        }
    }
}

impl Operations {
    pub(crate) const fn new(client: OperationsClient) -> Self {
        Self { client }
    }

    /// Opens the delivery stream after `resume_token`.
    pub(crate) async fn watch_delivery(
        &self,
        resume_token: String,
    ) -> Result<Messages<pb::WatchDeliveryResponse>, StreamError> {
        let request = pb::WatchDeliveryRequest {
            resume_token,
            max_batch_rows: ROWS,
        };
        Ok(self.client.watch_delivery(request).await?)
    }

    /// Asks for versions of terms, and takes in those that there are.
    pub(crate) async fn terms(
        &self,
        keys: &[(LineItemId, i64)],
    ) -> Result<Vec<Terms>, StreamError> {
        let mut known = Vec::with_capacity(keys.len());
        for keys in keys.chunks(KEYS) {
            let keys = keys
                .iter()
                .map(|(line_item, version)| pb::LineItemTermsKey {
                    line_item_id: line_item.to_string(),
                    version: *version,
                });
            let request = pb::BatchGetLineItemTermsRequest {
                keys: keys.collect(),
            };
            let answer = self.client.batch_get_line_item_terms(request).await?;
            for terms in &answer.terms {
                match convert::terms(terms) {
                    Ok(terms) => known.push(terms),
                    // Its rows are parked, which is seen; the others go on.
                    Err(error) => tracing::error!(
                        line_item.id = terms.line_item_id,
                        terms.version = terms.version,
                        %error,
                        "terms cannot be rated by"
                    ),
                }
            }
        }
        Ok(known)
    }

    /// Asks for revenue shares at instants, and answers those that there are.
    pub(crate) async fn shares(
        &self,
        queries: &[(AdUnitId, Timestamp)],
    ) -> Result<Vec<ShareSpan>, StreamError> {
        let mut known = Vec::with_capacity(queries.len());
        for queries in queries.chunks(KEYS) {
            let queries = queries.iter().map(|(ad_unit, at)| pb::RevShareQuery {
                ad_unit_id: ad_unit.to_string(),
                time: Some(time(*at)),
            });
            let request = pb::BatchGetRevShareRequest {
                queries: queries.collect(),
            };
            // An old answer is as good as a new one: a share that held at an instant of delivery stays as it is.
            let answer = self.client.batch_get_rev_share(request).await?.value;
            for share in &answer.rev_shares {
                match convert::share(share) {
                    Ok(share) => known.push(share),
                    // As with terms: what needs it is parked, the others go on.
                    Err(error) => tracing::error!(
                        ad_unit.id = share.ad_unit_id,
                        rev_share.version = share.version,
                        %error,
                        "a revenue share cannot be rated by"
                    ),
                }
            }
        }
        Ok(known)
    }
}

impl ShareSpan {
    /// Takes the share in: final from its beginning through the instant asked for, at which there is delivery, because
    /// Operations refuses a version that would change what delivery has earned. What holds later is asked for later.
    pub(crate) fn teach(self, catalogue: &mut Catalogue) {
        let until = self.at.plus(MOMENT);
        catalogue.learn_share(self.share, self.from.min(self.at), until);
    }
}

impl Batch {
    /// This batch and the one after it as one.
    pub(crate) fn followed_by(mut self, next: Self) -> Self {
        self.rows.extend(next.rows);
        self.unreadable.extend(next.unreadable);
        self.watermarks.extend(next.watermarks);
        Self {
            rows: self.rows,
            unreadable: self.unreadable,
            watermarks: self.watermarks,
            ..next
        }
    }

    /// Reads a message of the stream. A row that cannot be read is put aside, and stops nobody else.
    pub(crate) fn read(message: pb::WatchDeliveryResponse) -> Result<Self, StreamError> {
        let stated = message.digest.as_slice();
        if !message.rows.is_empty() && !stated.is_empty() {
            // Rows without a key or counts have no digest: they are put aside below, and the message goes unchecked.
            let found = digest::of_rows(&message.rows);
            if found.is_some_and(|found| found != stated) {
                return Err(StreamError::Corrupted);
            }
        }
        let watermark = |watermark: &pb::DeliveryWatermark| {
            let through = convert::time("complete_through", watermark.complete_through.as_ref())?;
            let source = convert::source("source", &watermark.source)?;
            Ok::<_, Malformed>((source, through))
        };
        // Watermarks are told at the end of the feed alone, and a message that could bear more rows had no more.
        let could_bear = usize::try_from(ROWS).unwrap_or(0);
        let at_head = message.rows.len() < could_bear || !message.watermarks.is_empty();
        let mut rows = Vec::with_capacity(message.rows.len());
        let mut unreadable = Vec::new();
        for row in message.rows {
            match convert::delivery_row(row) {
                Ok(row) => rows.push(row),
                Err(row) => {
                    tracing::error!(
                        line_item.id = row.line_item,
                        row.revision = row.revision,
                        problem = row.problem,
                        "a delivery row cannot be read; it is put aside"
                    );
                    unreadable.push(*row);
                }
            }
        }
        let mut watermarks = BTreeMap::new();
        for sent in &message.watermarks {
            match watermark(sent) {
                Ok((source, through)) => {
                    watermarks.insert(source, through);
                }
                // Its source stays where it was, which only holds `rated_through` back.
                Err(error) => tracing::error!(%error, "a watermark cannot be read; it is left out"),
            }
        }
        Ok(Self {
            rows,
            unreadable,
            resume_token: message.resume_token,
            revision: message.revision,
            as_of: convert::time("as_of", message.as_of.as_ref())?,
            watermarks,
            at_head,
        })
    }
}
