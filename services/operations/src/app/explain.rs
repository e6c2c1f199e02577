//! Why a line item does what it does.

use cleave_kernel::{LineItemId, Timestamp};
use operations_domain::LineItem;
use operations_domain::explain::{Evidence, ExplainStep, explain};
use operations_domain::line_item_status::compute;
use operations_store::lease::recent_leases;
use operations_store::terms::{self, TermsKey};

use super::context::Context;
use super::{App, Error, LineItemView};

/// A line item and everything that its status depends on.
#[derive(Debug, Clone)]
pub struct Explanation {
    /// The line item with its status.
    pub view: LineItemView,
    /// The steps, in the order in which they are weighed.
    pub steps: Vec<ExplainStep>,
    /// When this was computed.
    pub as_of: Timestamp,
}

impl App {
    /// Everything that the status of a line item depends on.
    ///
    /// # Errors
    /// When there is no such line item.
    pub async fn explain_line_item(&self, id: LineItemId) -> Result<Explanation, Error> {
        /// More than are ever asked for at once; among them is the newest that was granted.
        const RECENT: u64 = 16;
        let now = self.clock.now();
        let line_item = self.get::<LineItem>(id).await?;
        let key = TermsKey {
            line_item_id: id,
            version: line_item.terms_version,
        };
        let (terms, leases) = self
            .store
            .db()
            .read("explain_line_item", |conn| async move {
                let terms = terms::find(conn, key).await?;
                Ok::<_, Error>((terms, recent_leases(conn, id, RECENT).await?))
            })
            .await?;
        let context = Context::load(self, std::slice::from_ref(&line_item)).await?;
        let facts = context
            .facts(&line_item)
            .ok_or_else(|| Error::Fault("a line item without a campaign".to_owned()))?;
        let granted = leases
            .iter()
            .find(|record| record.lease.reservation.is_some());
        let evidence = Evidence {
            terms: terms.as_ref(),
            lease: granted.map(|record| &record.lease),
        };
        let steps = explain(&facts, evidence, now);
        let status = compute(&facts, now);
        Ok(Explanation {
            view: LineItemView { line_item, status },
            steps,
            as_of: now,
        })
    }
}
