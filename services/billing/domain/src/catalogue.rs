//! What rating knows of Operations' catalogue: terms and revenue shares, as far as they were asked for. Both are
//! final once known, so nothing here is ever out of date; it may be forgotten and learned again.

use crate::bucket::{Basis, BucketKey};
use crate::delivery::{DeliveryRow, RowId};
use crate::parked_row::{Obstacle, ParkReason};
use crate::period::CivilDay;
use crate::rev_share::RevShare;
use crate::terms::Terms;
use cleave_kernel::{AdUnitId, LineItemId, Timestamp};
use jiff::tz::TimeZone;
use std::collections::{BTreeSet, HashMap, HashSet};
use std::sync::Arc;

/// Above so many entries everything is forgotten; far beyond what one network has alive.
const MOST_ENTRIES: usize = 1_000_000;

/// A delivery row with all that rating it needs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PreparedRow {
    /// Names it.
    pub id: RowId,
    /// The row.
    pub row: DeliveryRow,
    /// The day of the month it belongs to.
    pub day: u8,
    /// What it is rated by, or what is missing.
    pub basis: Result<Arc<Basis>, Obstacle>,
}

/// What has to be asked for before rows can be rated.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Unknown {
    /// Versions of terms.
    pub terms: BTreeSet<(LineItemId, i64)>,
    /// Revenue shares at instants.
    pub shares: BTreeSet<(AdUnitId, Timestamp)>,
}

#[derive(Debug)]
struct Span {
    from: Timestamp,
    until: Timestamp,
    share: Arc<RevShare>,
}

/// Terms and revenue shares by what they are asked for.
#[derive(Debug)]
pub struct Catalogue {
    zone: TimeZone,
    most_entries: usize,
    terms: HashMap<(LineItemId, i64), Arc<Terms>>,
    /// Versions that say something else than when they were rated by.
    contradicted: HashSet<(LineItemId, i64)>,
    shares: HashMap<AdUnitId, Vec<Span>>,
    bases: HashMap<BucketKey, Arc<Basis>>,
    days: HashMap<Timestamp, CivilDay>,
}

impl Catalogue {
    /// An empty catalogue whose months are those of `zone`.
    pub fn new(zone: TimeZone) -> Self {
        Self::bounded(zone, MOST_ENTRIES)
    }

    /// An empty catalogue that forgets everything once it knows more than `most_entries` things.
    pub fn bounded(zone: TimeZone, most_entries: usize) -> Self {
        Self {
            zone,
            most_entries,
            terms: HashMap::new(),
            contradicted: HashSet::new(),
            shares: HashMap::new(),
            bases: HashMap::new(),
            days: HashMap::new(),
        }
    }

    /// Takes in a version of terms.
    pub fn learn_terms(&mut self, terms: Terms) {
        let key = (terms.line_item, terms.version);
        self.terms.insert(key, Arc::new(terms));
    }

    /// Takes in that a version of terms says something else than when it was rated by: nothing is rated by it, until it
    /// was forgotten and learned anew.
    pub fn contradict_terms(&mut self, line_item: LineItemId, version: i64) {
        self.contradicted.insert((line_item, version));
    }

    /// Takes in the share that holds from `from` up to `until`.
    pub fn learn_share(&mut self, share: RevShare, from: Timestamp, until: Timestamp) {
        let spans = self.shares.entry(share.ad_unit).or_default();
        spans.retain(|span| span.from < from || span.until > until);
        let share = Arc::new(share);
        spans.push(Span { from, until, share });
    }

    /// Forgets everything: Operations has begun another history, which may say something else.
    pub fn forget(&mut self) {
        *self = Self::bounded(self.zone.clone(), self.most_entries);
    }

    /// Forgets everything, if that has become too much. Between batches alone: what was just learned for some rows must
    /// still be there when they are prepared, or they would be parked for terms that are known.
    pub fn trim(&mut self) {
        let spans: usize = self.shares.values().map(Vec::len).sum();
        let entries = self.terms.len() + spans + self.bases.len() + self.days.len();
        if entries > self.most_entries {
            self.forget();
        }
    }

    /// What of the rows' terms and shares is not known.
    pub fn unknown<'a>(&self, rows: impl IntoIterator<Item = &'a DeliveryRow>) -> Unknown {
        let mut unknown = Unknown::default();
        for row in rows {
            let terms = (row.key.line_item, row.key.terms_version);
            if !self.terms.contains_key(&terms) {
                unknown.terms.insert(terms);
            }
            if self.share(row.key.ad_unit, row.key.hour).is_none() {
                unknown.shares.insert((row.key.ad_unit, row.key.hour));
            }
        }
        unknown
    }

    /// The rows with what they are rated by, or what is missing.
    pub fn prepare(&mut self, rows: Vec<DeliveryRow>) -> Vec<PreparedRow> {
        rows.into_iter().map(|row| self.prepare_row(row)).collect()
    }

    fn prepare_row(&mut self, row: DeliveryRow) -> PreparedRow {
        let hour = row.key.hour;
        let day = *self
            .days
            .entry(hour)
            .or_insert_with(|| CivilDay::of(hour, &self.zone));
        PreparedRow {
            id: row.key.id(),
            day: day.day,
            basis: self.basis(&row, day),
            row,
        }
    }

    fn basis(&mut self, row: &DeliveryRow, day: CivilDay) -> Result<Arc<Basis>, Obstacle> {
        let key = &row.key;
        if self
            .contradicted
            .contains(&(key.line_item, key.terms_version))
        {
            let changed = format!(
                "{}@{} is not what it was when it was rated by: publish another version",
                key.line_item, key.terms_version
            );
            return Err(Obstacle::new(ParkReason::InvalidRow, changed));
        }
        let terms = self.terms.get(&(key.line_item, key.terms_version));
        let terms = terms.ok_or_else(|| {
            let missing = format!("{}@{}", key.line_item, key.terms_version);
            Obstacle::new(ParkReason::MissingTerms, missing)
        })?;
        let share = self.share(key.ad_unit, key.hour).ok_or_else(|| {
            let missing = format!("{} at {}", key.ad_unit, key.hour);
            Obstacle::new(ParkReason::MissingShare, missing)
        })?;
        let bucket = BucketKey {
            line_item: key.line_item,
            terms_version: key.terms_version,
            ad_unit: key.ad_unit,
            rev_share: share.id,
            period: day.period,
        };
        if let Some(basis) = self.bases.get(&bucket) {
            return Ok(Arc::clone(basis));
        }
        let basis = Arc::new(Basis::new(Arc::clone(terms), Arc::clone(share), day.period));
        self.bases.insert(bucket, Arc::clone(&basis));
        Ok(basis)
    }

    fn share(&self, ad_unit: AdUnitId, at: Timestamp) -> Option<&Arc<RevShare>> {
        let spans = self.shares.get(&ad_unit)?;
        let span = spans.iter().find(|s| s.from <= at && at < s.until)?;
        Some(&span.share)
    }
}
