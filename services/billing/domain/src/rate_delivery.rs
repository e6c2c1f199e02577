//! Rating delivery: rows become buckets, buckets become charges, earnings and revenue, in one balanced group.

use crate::account::{Account, State};
use crate::catalogue::PreparedRow;
use crate::parked_row::{Obstacle, ParkReason, ParkedRow, Quarantined, RatedBy, UnreadableRow};
use crate::posting::Posting;
use crate::rating_set::Progress;
use crate::refusal::Refusal;
use crate::revaluation::{AdmittedRow, Revaluation};
use crate::work::Work;
use crate::write_off::WriteOffRows;
use cleave_kernel::{AccountId, Currency, LineItemId};
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet, HashMap};

/// Rates rows, and remembers how far the stream they came from was taken in.
#[derive(Debug, Clone)]
pub struct RateDelivery {
    /// The rows, in any order, some perhaps for a second time.
    pub rows: Vec<PreparedRow>,
    /// Rows among them that do not keep the contract.
    pub unreadable: Vec<UnreadableRow>,
    /// How far the stream has come with them; nothing for rows that were parked.
    pub progress: Option<Progress>,
}

/// What became of the rows of one command.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct RateReport {
    /// Rated, new or anew.
    pub rated: u64,
    /// Known before, in this or a later revision.
    pub stale: u64,
    /// Parked, or parked still.
    pub parked: u64,
    /// Put aside because they cannot be read.
    #[serde(default)]
    pub unreadable: u64,
}

/// Whether the accounts of a row may have closed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Closed {
    /// They stand in its way.
    Hinder,
    /// They do not: what would be left on them is taken off again.
    Allow,
}

/// The rows of a command, sorted by what can be done with them.
#[derive(Debug, Default)]
struct Sorted<'a> {
    admitted: BTreeMap<LineItemId, Vec<AdmittedRow<'a>>>,
    parked: Vec<(&'a PreparedRow, Obstacle)>,
    stale: u64,
}

impl Work {
    /// Rates rows. One that cannot be rated is parked and holds nobody up.
    ///
    /// # Errors
    /// When the ledger itself is broken; nothing has then changed.
    pub fn rate_delivery(&mut self, command: &RateDelivery) -> Result<RateReport, Refusal> {
        let mut sorted = self.sort_rows(&command.rows);
        let admitted = std::mem::take(&mut sorted.admitted);
        let mut rated = 0;
        let all: Vec<_> = admitted.values().map(Vec::as_slice).collect();
        match self.rate_line_items(&all, None) {
            Ok(count) => rated += count,
            Err(broken @ Refusal::Broken { .. }) => return Err(broken),
            // Something does not fit: one line item at a time, so that it stops nobody else.
            Err(_) => {
                for rows in all {
                    match self.rate_line_items(&[rows], None) {
                        Ok(count) => rated += count,
                        Err(refusal) => sorted.park_all(rows, &refusal),
                    }
                }
            }
        }
        let report = RateReport {
            rated,
            stale: sorted.stale,
            parked: u64::try_from(sorted.parked.len()).unwrap_or(u64::MAX),
            unreadable: self.quarantine(&command.unreadable),
        };
        for (row, obstacle) in sorted.parked {
            self.park(row, obstacle);
        }
        if let Some(progress) = &command.progress {
            self.rating.advance(progress.clone());
        }
        Ok(report)
    }

    fn sort_rows<'a>(&self, rows: &'a [PreparedRow]) -> Sorted<'a> {
        let mut latest: HashMap<_, &PreparedRow> = HashMap::with_capacity(rows.len());
        let mut sorted = Sorted::default();
        for row in rows {
            let known = latest.entry(row.id).or_insert(row);
            if !std::ptr::eq(*known, row) {
                sorted.stale += 1;
            }
            if known.row.revision < row.row.revision {
                *known = row;
            }
        }
        for row in rows
            .iter()
            .filter(|row| std::ptr::eq(latest[&row.id], *row))
        {
            if self.is_stale(row) {
                sorted.stale += 1;
                continue;
            }
            match self.admit(row, Closed::Hinder) {
                Ok(row) => {
                    let line_item = row.basis.key.line_item;
                    sorted.admitted.entry(line_item).or_default().push(row);
                }
                Err(obstacle) => sorted.parked.push((row, obstacle)),
            }
        }
        sorted
    }

    fn is_stale(&self, row: &PreparedRow) -> bool {
        let rated = self.rating.row(row.id);
        let parked = self.rating.parked(row.id);
        let written_off = self.rating.written_off(row.id);
        rated.is_some_and(|rated| rated.revision >= row.row.revision)
            || parked.is_some_and(|parked| parked.row.revision > row.row.revision)
            || written_off.is_some_and(|revision| revision >= row.row.revision)
    }

    /// Whether a row can be rated, and by what. Closed accounts are no obstacle where `closed` says so.
    pub(crate) fn admit<'a>(
        &self,
        row: &'a PreparedRow,
        closed: Closed,
    ) -> Result<AdmittedRow<'a>, Obstacle> {
        let basis = row.basis.as_ref().map_err(Clone::clone)?;
        let invalid = |what: &str| Obstacle::new(ParkReason::InvalidRow, what);
        let quantity = row.row.counts.billable(basis.terms.model);
        let quantity = quantity.ok_or_else(|| invalid("the counts contradict themselves"))?;
        if let Some(rated) = self.rating.row(row.id)
            && (rated.bucket, &rated.source) != (basis.id, &row.row.key.source)
        {
            return Err(invalid("what it is rated by changed after it was rated"));
        }
        let currency = basis.terms.currency;
        if let Some(totals) = self.rating.line_item(basis.key.line_item)
            && (totals.currency, totals.advertiser) != (currency, basis.terms.advertiser)
        {
            return Err(invalid("the terms change the advertiser or the currency"));
        }
        self.usable(basis.advertiser, &basis.terms.advertiser, currency, closed)?;
        self.usable(
            basis.publisher,
            &basis.rev_share.publisher,
            currency,
            closed,
        )?;
        Ok(AdmittedRow {
            row,
            basis,
            quantity,
        })
    }

    fn usable(
        &self,
        id: AccountId,
        owner: &dyn std::fmt::Display,
        currency: Currency,
        closed: Closed,
    ) -> Result<&Account, Obstacle> {
        let reason = match self.account(id) {
            None => ParkReason::MissingAccount,
            Some(account) if account.currency != currency => ParkReason::CurrencyMismatch,
            Some(account) if account.state == State::Closed && closed == Closed::Hinder => {
                ParkReason::AccountClosed
            }
            Some(account) => return Ok(account),
        };
        Err(Obstacle::new(reason, owner))
    }

    /// Rates line items together: all of them, or none. What that would leave on accounts that have closed is taken off
    /// them again, as `decision` says.
    pub(crate) fn rate_line_items(
        &mut self,
        line_items: &[&[AdmittedRow<'_>]],
        decision: Option<&WriteOffRows>,
    ) -> Result<u64, Refusal> {
        let mut changed = Vec::with_capacity(line_items.len());
        for rows in line_items {
            if let Some(first) = rows.first() {
                let item = Revaluation::of(&self.rating, first.basis, rows, self.now());
                changed.push(item.map_err(|_| overflow(first.basis.advertiser))?);
            }
        }
        // What goes back comes first, so that it is there for what is drawn.
        changed.sort_by_key(|item| (item.delta.billed.is_positive(), item.totals.line_item));
        let mut posting = Posting::new(self.closed_among(&changed));
        let mut purse = self.purse();
        for item in &mut changed {
            posting
                .add(item, &mut purse, self.now())
                .map_err(|_| overflow(item.advertiser))?;
        }
        let (mut group, stranded) = posting.into_group();
        let adjustments = self.empty_again(&mut group, stranded, decision);
        if !group.is_empty() {
            self.commit(group)?;
        }
        adjustments
            .into_iter()
            .for_each(|adjustment| self.add_adjustment(adjustment));
        Ok(self.write_down(changed))
    }

    /// The accounts that have closed among those that money would move on.
    fn closed_among(&self, changed: &[Revaluation]) -> BTreeSet<AccountId> {
        let publishers = changed.iter().flat_map(|item| item.earnings.keys());
        let all = changed
            .iter()
            .map(|item| &item.advertiser)
            .chain(publishers);
        let closed = all.filter(|id| {
            let account = self.account(**id);
            account.is_some_and(|account| account.state == State::Closed)
        });
        closed.copied().collect()
    }

    fn write_down(&mut self, changed: Vec<Revaluation>) -> u64 {
        let mut rated = 0;
        for item in changed {
            rated += u64::try_from(item.rows.len()).unwrap_or(u64::MAX);
            for row in item.rows {
                self.rating.put_row(row);
            }
            for bucket in item.buckets {
                self.rating.put_bucket(bucket);
            }
            self.rating.put_line_item(item.totals);
        }
        rated
    }

    fn park(&mut self, row: &PreparedRow, obstacle: Obstacle) {
        let basis = row.basis.as_ref().ok();
        let before = self.rating.parked(row.id);
        let parked = ParkedRow {
            row: row.row.clone(),
            rated_by: basis.map(|basis| RatedBy {
                rev_share: basis.key.rev_share,
                period: basis.key.period,
                day: row.day,
            }),
            obstacle,
            parked_at: before.map_or(self.now(), |before| before.parked_at),
            tried_at: self.now(),
            tries: before.map_or(0, |before| before.tries).saturating_add(1),
        };
        self.rating.put_parked(row.id, parked, basis);
    }

    /// Puts rows aside that cannot be read, unless a later revision is known. Answers how many.
    fn quarantine(&mut self, rows: &[UnreadableRow]) -> u64 {
        let mut count = 0;
        for row in rows {
            let before = self.rating.unreadable(row.id);
            let known = [
                self.rating.row(row.id).map(|rated| rated.revision),
                self.rating.written_off(row.id),
                // The same revision comes again when the stream is read again.
                before.map(|before| before.row.revision.saturating_sub(1)),
            ];
            if known
                .into_iter()
                .flatten()
                .any(|known| known >= row.revision)
            {
                continue;
            }
            let quarantined = Quarantined {
                row: row.clone(),
                parked_at: before.map_or(self.now(), |before| before.parked_at),
                seen_at: self.now(),
                times: before.map_or(0, |before| before.times).saturating_add(1),
            };
            self.rating.put_unreadable(quarantined);
            count += 1;
        }
        count
    }
}

impl<'a> Sorted<'a> {
    fn park_all(&mut self, rows: &[AdmittedRow<'a>], refusal: &Refusal) {
        let obstacle = Obstacle::new(ParkReason::Overflow, refusal);
        let parked = rows.iter().map(|row| (row.row, obstacle.clone()));
        self.parked.extend(parked);
    }
}

fn overflow(account: AccountId) -> Refusal {
    Refusal::AmountOverflow { account }
}
