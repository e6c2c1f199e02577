//! A batch of a report as it comes: sound rows told from those that can never be taken.

use std::collections::HashSet;

use cleave_contracts::operations::v1 as pb;
use cleave_kernel::{Timestamp, Violation};
use operations_domain::delivery::{RowRefusal, SourceName};
use operations_domain::watermark::settled_through;
use operations_store::delivery::Batch;

use super::convert;
use crate::rpc::convert::optional_instant;

/// Most rows of a batch.
const BATCH_ROWS: usize = 5000;

/// A batch, its unsound rows set apart.
pub(super) struct Parsed {
    /// The sound rows.
    pub(super) batch: Batch,
    /// Where each of them stood.
    pub(super) places: Vec<usize>,
    /// The others, and where they stood.
    pub(super) refused: Vec<(usize, RowRefusal)>,
}

/// The batch that `message` is. `known` is the source of the batches before, or becomes that of this one.
pub(super) fn parse(
    message: pb::ReportDeliveryRequest,
    known: &mut Option<SourceName>,
    now: Timestamp,
) -> Result<Parsed, Violation> {
    let source = convert::source("source", &message.source)?;
    if known.get_or_insert_with(|| source.clone()) != &source {
        return Err(Violation::new(
            "source",
            "CHANGED",
            "all batches of a stream have the same source",
        ));
    }
    if message.rows.len() > BATCH_ROWS {
        return Err(Violation::new(
            "rows",
            "TOO_MANY",
            format!("a batch has at most {BATCH_ROWS} rows"),
        ));
    }
    let complete_through = optional_instant("complete_through", message.complete_through)?
        .map(|through| settled_through(through, now))
        .transpose()
        .map_err(|fault| fault.under("complete_through"))?;
    let mut parsed = Parsed {
        places: Vec::with_capacity(message.rows.len()),
        refused: Vec::new(),
        batch: Batch {
            source,
            rows: Vec::with_capacity(message.rows.len()),
            complete_through,
        },
    };
    parsed.sort_out(message.rows, now);
    Ok(parsed)
}

impl Parsed {
    fn sort_out(&mut self, rows: Vec<pb::DeliveryRow>, now: Timestamp) {
        let mut keys = HashSet::with_capacity(rows.len());
        for (place, row) in rows.into_iter().enumerate() {
            match convert::reported_row(row, &self.batch.source, now) {
                Ok(row) if keys.insert(row.key.clone()) => {
                    self.places.push(place);
                    self.batch.rows.push(row);
                }
                Ok(_) => self.refused.push((place, RowRefusal::DuplicateKey)),
                Err(refusal) => self.refused.push((place, refusal)),
            }
        }
    }
}
