//! What rating needs loaded.

use billing_domain::bucket::{Basis, BucketId};
use billing_domain::delivery::RowId;
use billing_domain::rate_delivery::RateDelivery;
use billing_domain::rating::Reach;
use billing_domain::settle_unfunded::SettleUnfunded;
use billing_domain::write_off::WriteOffRows;
use cleave_kernel::LineItemId;
use std::collections::hash_map::Entry;
use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;

/// What the commands of a batch rate.
#[derive(Debug, Default)]
pub(crate) struct RatingScope {
    /// Whether anything of rating may change, so that the lock is needed.
    pub(super) rates: bool,
    pub(super) rows: BTreeSet<RowId>,
    /// Rows to be written off, which may have to be rated by what they were parked with.
    pub(super) write_offs: BTreeSet<RowId>,
    pub(super) bases: HashMap<BucketId, Arc<Basis>>,
    /// Each line item with the reach of the terms that the commands name.
    pub(super) line_items: BTreeMap<LineItemId, Reach>,
}

impl RatingScope {
    /// The rows of a command and what they are rated by.
    pub(crate) fn rate(&mut self, command: &RateDelivery) {
        self.rates = true;
        for row in &command.rows {
            self.rows.insert(row.id);
            if let Ok(basis) = &row.basis {
                self.basis(basis);
            }
        }
        self.rows
            .extend(command.unreadable.iter().map(|row| row.id));
    }

    /// A bucket that may change.
    pub(super) fn basis(&mut self, basis: &Arc<Basis>) {
        if let Entry::Vacant(place) = self.bases.entry(basis.id) {
            place.insert(Arc::clone(basis));
            let reach = self.line_items.entry(basis.key.line_item).or_default();
            *reach = Reach::of(&basis.terms).max(*reach);
        }
    }

    /// Rows that are let go.
    pub(crate) fn write_off(&mut self, command: &WriteOffRows) {
        self.rates = true;
        for (id, _) in &command.rows {
            self.rows.insert(*id);
            self.write_offs.insert(*id);
        }
    }

    /// A line item whose funding is decided on.
    pub(crate) fn settle(&mut self, command: &SettleUnfunded) {
        self.rates = true;
        self.line_items.entry(command.line_item).or_default();
    }
}
