//! What rating holds in memory for one transaction: rated rows, buckets, totals of line items and parked rows.

use crate::bucket::{Basis, Bucket, BucketId};
use crate::delivery::RowId;
use crate::funding::Funding;
use crate::parked_row::{ParkedRow, Quarantined};
use crate::rating::{Amounts, Reach};
use crate::write_off::WrittenOffRow;
use cleave_kernel::{AdvertiserId, CampaignId, Currency, LineItemId, Timestamp};
use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;

/// A row as it was last rated.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RatedRow {
    /// Names it.
    pub id: RowId,
    /// The bucket it is summed into.
    pub bucket: BucketId,
    /// Who counted.
    pub source: String,
    /// The hour of the delivery.
    pub hour: Timestamp,
    /// The revision that was rated.
    pub revision: i64,
    /// The billable quantity of that revision.
    pub quantity: i64,
}

/// A line item over its whole life.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LineItemTotals {
    /// The line item.
    pub line_item: LineItemId,
    /// Its campaign.
    pub campaign: CampaignId,
    /// Who is charged.
    pub advertiser: AdvertiserId,
    /// What its amounts are counted in.
    pub currency: Currency,
    /// The farthest that any of its rated terms reach.
    pub reach: Reach,
    /// The sum of its buckets.
    pub amounts: Amounts,
    /// Where the money came from.
    pub funding: Funding,
    /// Since when some of it is unfunded.
    pub unfunded_since: Option<Timestamp>,
}

/// How far the delivery stream has been taken in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Progress {
    /// Where the stream goes on.
    pub resume_token: String,
    /// The position behind the token.
    pub revision: i64,
    /// When Operations read what came last.
    pub as_of: Timestamp,
    /// How far sources have reported completely, as far as the stream has said so.
    pub watermarks: BTreeMap<String, Timestamp>,
}

/// The rows of rating that the commands of one transaction work on, and which of them changed.
#[derive(Debug, Clone, Default)]
pub struct RatingSet {
    rows: HashMap<RowId, RatedRow>,
    buckets: HashMap<BucketId, Bucket>,
    of_line_item: HashMap<LineItemId, BTreeSet<BucketId>>,
    line_items: BTreeMap<LineItemId, LineItemTotals>,
    parked: HashMap<RowId, ParkedRow>,
    unreadable: HashMap<RowId, Quarantined>,
    written_off: HashMap<RowId, i64>,
    bases: HashMap<RowId, Arc<Basis>>,
    changes: Changes,
}

/// What a transaction changed about rating.
#[derive(Debug, Clone, Default)]
pub struct Changes {
    /// Rows rated, new or anew.
    pub rows: BTreeSet<RowId>,
    /// Buckets that did not exist.
    pub new_buckets: BTreeSet<BucketId>,
    /// Buckets whose sums or amounts changed.
    pub buckets: BTreeSet<BucketId>,
    /// Line items whose totals changed.
    pub line_items: BTreeSet<LineItemId>,
    /// Rows parked, or tried again in vain.
    pub parked: BTreeSet<RowId>,
    /// Rows parked no longer.
    pub unparked: BTreeSet<RowId>,
    /// What parked rows would be rated by.
    pub bases: BTreeMap<BucketId, Arc<Basis>>,
    /// Unreadable rows put aside, or seen again.
    pub unreadable: BTreeSet<RowId>,
    /// Rows put aside no longer.
    pub released: BTreeSet<RowId>,
    /// Rows written off.
    pub written_off: Vec<WrittenOffRow>,
    /// How far the stream came.
    pub progress: Option<Progress>,
}

impl RatingSet {
    /// Adds a row as it was last rated.
    pub fn load_row(&mut self, row: RatedRow) {
        self.rows.insert(row.id, row);
    }

    /// Adds a bucket as it is stored.
    pub fn load_bucket(&mut self, bucket: Bucket) {
        let line_item = bucket.basis.key.line_item;
        let id = bucket.basis.id;
        self.of_line_item.entry(line_item).or_default().insert(id);
        self.buckets.insert(id, bucket);
    }

    /// Adds the totals of a line item as they are stored.
    pub fn load_line_item(&mut self, totals: LineItemTotals) {
        self.line_items.insert(totals.line_item, totals);
    }

    /// Adds a parked row as it is stored.
    pub fn load_parked(&mut self, id: RowId, row: ParkedRow) {
        self.parked.insert(id, row);
    }

    /// Adds an unreadable row as it is stored.
    pub fn load_unreadable(&mut self, row: Quarantined) {
        self.unreadable.insert(row.row.id, row);
    }

    /// Adds that a revision of a row was written off.
    pub fn load_written_off(&mut self, id: RowId, revision: i64) {
        let latest = self.written_off.entry(id).or_insert(revision);
        *latest = revision.max(*latest);
    }

    /// Adds what a parked row would be rated by.
    pub fn load_basis(&mut self, id: RowId, basis: Arc<Basis>) {
        self.bases.insert(id, basis);
    }

    /// A row as it was last rated.
    pub fn row(&self, id: RowId) -> Option<&RatedRow> {
        self.rows.get(&id)
    }

    /// A bucket as it stands.
    pub fn bucket(&self, id: BucketId) -> Option<&Bucket> {
        self.buckets.get(&id)
    }

    /// The buckets of a line item that are in memory.
    pub fn buckets_of(&self, line_item: LineItemId) -> impl Iterator<Item = &Bucket> {
        let ids = self.of_line_item.get(&line_item).into_iter().flatten();
        ids.filter_map(|id| self.buckets.get(id))
    }

    /// The totals of a line item.
    pub fn line_item(&self, id: LineItemId) -> Option<&LineItemTotals> {
        self.line_items.get(&id)
    }

    /// A row that waits.
    pub fn parked(&self, id: RowId) -> Option<&ParkedRow> {
        self.parked.get(&id)
    }

    /// An unreadable row that was put aside.
    pub fn unreadable(&self, id: RowId) -> Option<&Quarantined> {
        self.unreadable.get(&id)
    }

    /// The latest revision of a row that was written off.
    pub fn written_off(&self, id: RowId) -> Option<i64> {
        self.written_off.get(&id).copied()
    }

    /// What a parked row would be rated by, if it was loaded.
    pub fn basis(&self, id: RowId) -> Option<&Arc<Basis>> {
        self.bases.get(&id)
    }

    /// What changed so far.
    pub const fn changes(&self) -> &Changes {
        &self.changes
    }

    pub(crate) fn put_row(&mut self, row: RatedRow) {
        self.changes.rows.insert(row.id);
        self.unpark(row.id);
        self.release(row.id, row.revision);
        self.rows.insert(row.id, row);
    }

    fn unpark(&mut self, id: RowId) {
        if self.parked.remove(&id).is_some() {
            self.changes.parked.remove(&id);
            self.changes.unparked.insert(id);
        }
    }

    /// What could not be read up to `revision` of a row does not matter any more.
    fn release(&mut self, id: RowId, revision: i64) {
        let over = |row: &Quarantined| row.row.revision <= revision;
        if self.unreadable.get(&id).is_some_and(over) {
            self.unreadable.remove(&id);
            self.changes.unreadable.remove(&id);
            self.changes.released.insert(id);
        }
    }

    pub(crate) fn put_bucket(&mut self, bucket: Bucket) {
        let id = bucket.basis.id;
        if !self.buckets.contains_key(&id) {
            self.changes.new_buckets.insert(id);
        }
        self.changes.buckets.insert(id);
        self.load_bucket(bucket);
    }

    pub(crate) fn put_line_item(&mut self, totals: LineItemTotals) {
        self.changes.line_items.insert(totals.line_item);
        self.line_items.insert(totals.line_item, totals);
    }

    pub(crate) fn put_parked(&mut self, id: RowId, row: ParkedRow, basis: Option<&Arc<Basis>>) {
        if let Some(basis) = basis {
            self.changes.bases.insert(basis.id, Arc::clone(basis));
        }
        self.release(id, row.row.revision);
        self.changes.unparked.remove(&id);
        self.changes.parked.insert(id);
        self.parked.insert(id, row);
    }

    pub(crate) fn put_unreadable(&mut self, row: Quarantined) {
        let id = row.row.id;
        self.changes.released.remove(&id);
        self.changes.unreadable.insert(id);
        self.unreadable.insert(id, row);
    }

    /// Notes that a row was written off: it waits no longer, and never comes back in this revision.
    pub(crate) fn put_written_off(&mut self, row: WrittenOffRow) {
        let waits = |parked: &ParkedRow| parked.row.revision <= row.revision;
        if self.parked(row.id).is_some_and(waits) {
            self.unpark(row.id);
        }
        self.release(row.id, row.revision);
        self.load_written_off(row.id, row.revision);
        self.changes.written_off.push(row);
    }

    pub(crate) fn advance(&mut self, progress: Progress) {
        let mut progress = progress;
        if let Some(before) = self.changes.progress.take() {
            for (source, through) in before.watermarks {
                let known = progress.watermarks.entry(source).or_insert(through);
                *known = through.max(*known);
            }
        }
        self.changes.progress = Some(progress);
    }
}
