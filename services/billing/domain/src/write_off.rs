//! The exit of rows that can never be rated: somebody answers for letting them go, and the ledger shows what became of
//! the money.
//!
//! A row whose accounts have closed is rated all the same, so that its bucket keeps to the formula. What an advertiser
//! that has closed would pay is carried by the platform, as all delivery that nothing covers; what is left on an account
//! that has closed is taken off it again by an adjustment. Of any other row nothing was ever booked, and nothing is.

use crate::adjustment::{self, Adjustment, Direction, Kind};
use crate::catalogue::PreparedRow;
use crate::chart::{Code, LedgerKey};
use crate::delivery::RowId;
use crate::parked_row::{ParkReason, ParkedRow, Quarantined};
use crate::posting::Stranded;
use crate::rate_delivery::Closed;
use crate::refusal::Refusal;
use crate::revaluation::AdmittedRow;
use crate::transfer::Group;
use crate::work::Work;
use cleave_kernel::{AdjustmentId, LineItemId, Money, Timestamp};
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

/// Lets rows go that wait.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct WriteOffRows {
    /// Which rows, each once, in the revision that was looked at.
    pub rows: Vec<(RowId, i64)>,
    /// Why.
    pub reason: String,
    /// Who decided it.
    pub actor: String,
}

/// A row that was let go: the record of it, never changed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct WrittenOffRow {
    /// The row.
    pub id: RowId,
    /// The revision that was let go. A later one is a new row.
    pub revision: i64,
    /// Who counted.
    pub source: String,
    /// The line item, as it was sent.
    pub line_item: String,
    /// The version of its terms.
    pub terms_version: i64,
    /// The ad unit, as it was sent.
    pub ad_unit: String,
    /// The hour; [`Timestamp::EPOCH`] when it could not be read.
    pub hour: Timestamp,
    /// What it said: its counts, or its bytes in hexadecimal digits where it could not be read.
    pub content: String,
    /// Why it waited.
    pub obstacle: ParkReason,
    /// What was missing.
    pub detail: String,
    /// Whether it was rated for its accounts that have closed; else nothing was booked.
    pub rated: bool,
    /// Why it was let go.
    pub reason: String,
    /// Who decided it.
    pub actor: String,
    /// When.
    pub created_at: Timestamp,
}

/// What a write-off did.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct WrittenOff {
    /// The rows.
    pub rows: Vec<WrittenOffRow>,
    /// What was taken off accounts that have closed, or given to them, so that they are empty.
    pub adjustments: Vec<Adjustment>,
}

/// A row that waits, of either kind.
enum Waiting<'a> {
    Parked(&'a ParkedRow),
    Unreadable(&'a Quarantined),
}

impl Work {
    /// Lets rows go: all of them, or none.
    ///
    /// # Errors
    /// When one of them does not wait, or not in this revision.
    pub fn write_off_rows(&mut self, command: &WriteOffRows) -> Result<WrittenOff, Refusal> {
        let mut rows = Vec::with_capacity(command.rows.len());
        for (id, revision) in &command.rows {
            rows.push(self.record(*id, *revision, command)?);
        }
        let before = self.new_adjustments().len();
        let rated = self.rate_closed(command)?;
        for row in &mut rows {
            row.rated = rated.contains(&row.id);
            self.rating.put_written_off(row.clone());
        }
        Ok(WrittenOff {
            rows,
            adjustments: self.new_adjustments()[before..].to_vec(),
        })
    }

    /// The record of a row, if it waits in this revision.
    fn record(
        &self,
        id: RowId,
        revision: i64,
        command: &WriteOffRows,
    ) -> Result<WrittenOffRow, Refusal> {
        let parked = self.rating.parked(id);
        let parked = parked.map(|parked| (parked.row.revision, Waiting::Parked(parked)));
        let unreadable = self.rating.unreadable(id);
        let unreadable = unreadable.map(|row| (row.row.revision, Waiting::Unreadable(row)));
        let both = [parked, unreadable];
        // The latest revision is the one that is shown; what came before it goes with it.
        let latest = both
            .into_iter()
            .flatten()
            .max_by_key(|(revision, _)| *revision);
        let (found, waiting) = latest.ok_or(Refusal::ParkedRowNotFound { row: id })?;
        if found != revision {
            return Err(Refusal::ParkedRowChanged {
                row: id,
                revision: found,
            });
        }
        let decided = WrittenOffRow {
            id,
            revision,
            source: String::new(),
            line_item: String::new(),
            terms_version: 0,
            ad_unit: String::new(),
            hour: Timestamp::EPOCH,
            content: String::new(),
            obstacle: ParkReason::Unreadable,
            detail: String::new(),
            rated: false,
            reason: command.reason.clone(),
            actor: command.actor.clone(),
            created_at: self.now(),
        };
        Ok(waiting.describe(decided))
    }

    /// Rates those of the rows whose only obstacle is that an account has closed. Answers which these are.
    fn rate_closed(&mut self, command: &WriteOffRows) -> Result<BTreeSet<RowId>, Refusal> {
        let ids = command.rows.iter().map(|(id, _)| *id);
        let prepared: Vec<_> = ids.filter_map(|id| self.prepared(id)).collect();
        let mut by_line_item: BTreeMap<LineItemId, Vec<AdmittedRow<'_>>> = BTreeMap::new();
        for row in &prepared {
            if let Ok(admitted) = self.admit(row, Closed::Allow) {
                let rows = by_line_item.entry(admitted.basis.key.line_item);
                rows.or_default().push(admitted);
            }
        }
        let mut rated = BTreeSet::new();
        for rows in by_line_item.values() {
            match self.rate_line_items(&[rows], Some(command)) {
                Ok(_) => rated.extend(rows.iter().map(|row| row.row.id)),
                Err(broken @ Refusal::Broken { .. }) => return Err(broken),
                // Its amounts do not fit: nothing can be booked, as with rows that never could.
                Err(_) => {}
            }
        }
        Ok(rated)
    }

    fn prepared(&self, id: RowId) -> Option<PreparedRow> {
        let parked = self.rating.parked(id)?;
        let (basis, rated_by) = (self.rating.basis(id)?, parked.rated_by?);
        (parked.obstacle.reason == ParkReason::AccountClosed).then(|| PreparedRow {
            id,
            row: parked.row.clone(),
            day: rated_by.day,
            basis: Ok(Arc::clone(basis)),
        })
    }

    /// Adds to `group` what empties accounts that have closed, and answers the records of that.
    pub(crate) fn empty_again(
        &self,
        group: &mut Group,
        stranded: Stranded,
        decision: Option<&WriteOffRows>,
    ) -> Vec<Adjustment> {
        let mut adjustments = Vec::new();
        for ((currency, id), amount) in stranded {
            let (Some(account), Some(decision)) = (self.account(id), decision) else {
                continue;
            };
            if amount.is_zero() {
                continue;
            }
            let direction = if amount.is_positive() {
                Direction::Debit
            } else {
                Direction::Credit
            };
            let magnitude = amount.checked_neg().unwrap_or(amount).max(amount);
            let adjustment = Adjustment {
                id: AdjustmentId::from_uuid(self.next_id()),
                account: id,
                kind: Kind::WriteOff,
                direction,
                amount: Money::new(currency, magnitude),
                reason: decision.reason.clone(),
                actor: decision.actor.clone(),
                created_at: self.now(),
            };
            group.about(adjustment.id.to_string());
            group.single(
                account.ledger(adjustment::running(account)),
                LedgerKey::platform(currency, Code::Adjustments),
                amount,
                Kind::WriteOff.reason(),
            );
            adjustments.push(adjustment);
        }
        adjustments
    }
}

impl Waiting<'_> {
    /// Fills in what the row says.
    fn describe(self, record: WrittenOffRow) -> WrittenOffRow {
        match self {
            Self::Parked(parked) => WrittenOffRow {
                source: parked.row.key.source.clone(),
                line_item: parked.row.key.line_item.to_string(),
                terms_version: parked.row.key.terms_version,
                ad_unit: parked.row.key.ad_unit.to_string(),
                hour: parked.row.key.hour,
                content: parked.row.counts.to_string(),
                obstacle: parked.obstacle.reason,
                detail: parked.obstacle.detail.clone(),
                ..record
            },
            Self::Unreadable(Quarantined { row, .. }) => WrittenOffRow {
                source: row.source.clone(),
                line_item: row.line_item.clone(),
                terms_version: row.terms_version,
                ad_unit: row.ad_unit.clone(),
                hour: row.hour,
                content: row.content.iter().map(|b| format!("{b:02x}")).collect(),
                detail: row.problem.clone(),
                ..record
            },
        }
    }
}
