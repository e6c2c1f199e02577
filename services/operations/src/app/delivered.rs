//! What line items have delivered, remembered between the rounds of the lease keeper: a round reads only what
//! has moved since the one before.

use std::collections::HashMap;

use cleave_kernel::LineItemId;
use operations_domain::delivery_total::{DeliveredFacts, civil_day};
use operations_store::delivery::{delivered_facts, moved_since};

use super::{App, Error};

/// Line items read at a time.
const PAGE: u64 = 1000;

/// What was delivered up to a place in the delivery feed.
#[derive(Debug, Default)]
pub struct DeliveredMemory {
    seq: i64,
    /// The civil day for which "today" is remembered.
    today: Option<i32>,
    facts: HashMap<LineItemId, DeliveredFacts>,
}

impl DeliveredMemory {
    /// Takes in what has moved.
    pub(crate) async fn catch_up(&mut self, app: &App) -> Result<(), Error> {
        let today = civil_day(app.clock().now(), app.zone());
        if self.today != Some(today) {
            *self = Self {
                today: Some(today),
                ..Self::default()
            };
        }
        loop {
            let seq = self.seq;
            let (facts, next) = app
                .store()
                .db()
                .read("delivered_since", |conn| async move {
                    let (moved, next) = moved_since(conn, seq, PAGE).await?;
                    Ok::<_, Error>((delivered_facts(conn, &moved, today).await?, next))
                })
                .await?;
            self.facts.extend(facts);
            if next == seq {
                return Ok(());
            }
            self.seq = next;
        }
    }

    /// What is remembered of `line_items`; nothing of those without delivery.
    pub(crate) fn of(&self, line_items: &[LineItemId]) -> HashMap<LineItemId, DeliveredFacts> {
        line_items
            .iter()
            .filter_map(|id| Some((*id, *self.facts.get(id)?)))
            .collect()
    }
}
