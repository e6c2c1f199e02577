//! What delivery has cost, as far as it is rated.

use super::{App, Error};
use billing_domain::rating_set::LineItemTotals;
use cleave_kernel::{Currency, LineItemId, Micros, Timestamp};
use std::collections::BTreeMap;

/// What line items have cost, all of about one moment.
#[derive(Debug, Clone)]
pub(crate) struct Spend {
    /// Those with rated delivery.
    pub(crate) totals: BTreeMap<LineItemId, LineItemTotals>,
    /// Those with live holds, and how much these hold.
    pub(crate) held: BTreeMap<LineItemId, (Currency, Micros)>,
    /// How far the change feed had come.
    pub(crate) revision: i64,
    /// Delivery before it is rated in full.
    pub(crate) rated_through: Option<Timestamp>,
}

impl App {
    /// What line items have cost.
    pub(crate) async fn spend(&self, ids: &[LineItemId]) -> Result<Spend, Error> {
        let store = self.store();
        // The watermark and the revision are read first: what is read after them holds at least as much.
        let rated_through = store.rated_through().await?;
        let head = store.feed_position().await?;
        let totals = store.line_item_totals(ids).await?;
        let held = store.held_for(ids).await?;
        Ok(Spend {
            totals: totals.into_iter().map(|t| (t.line_item, t)).collect(),
            held,
            revision: head.seq,
            rated_through,
        })
    }
}
