//! What rating holds in memory for one transaction: rated rows, buckets, totals of line items and parked rows.

use crate::bucket::{Bucket, BucketId};
use crate::delivery::RowId;
use crate::funding::Funding;
use crate::parked_row::ParkedRow;
use crate::rating::{Amounts, Reach};
use cleave_kernel::{AdvertiserId, CampaignId, Currency, LineItemId, Timestamp};
use std::collections::{BTreeMap, BTreeSet, HashMap};

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

    /// What changed so far.
    pub const fn changes(&self) -> &Changes {
        &self.changes
    }

    pub(crate) fn put_row(&mut self, row: RatedRow) {
        self.changes.rows.insert(row.id);
        if self.parked.remove(&row.id).is_some() {
            self.changes.parked.remove(&row.id);
            self.changes.unparked.insert(row.id);
        }
        self.rows.insert(row.id, row);
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

    pub(crate) fn put_parked(&mut self, id: RowId, row: ParkedRow) {
        self.changes.unparked.remove(&id);
        self.changes.parked.insert(id);
        self.parked.insert(id, row);
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
