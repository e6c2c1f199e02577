//! Takes reported rows in: many batches in one transaction, in a number of statements that does not grow with
//! the number of batches.

use std::collections::{BTreeMap, HashMap};

use cleave_kernel::Timestamp;
use cleave_storage::{Engine, StorageError, padded};
use jiff::tz::TimeZone;
use operations_domain::delivery::{
    Admission, DeliveryCounts, DeliveryRow, Gates, RowRefusal, SourceName,
};
use operations_domain::watermark::advance;
use sea_orm::sea_query::{Expr, ExprTrait, OnConflict, Query};
use sea_orm::{ConnectionTrait, DatabaseTransaction};
use uuid::Uuid;

use super::chunk::fixed;
use super::gate::{self, Gate, Source};
use super::key::row_id;
use super::known::KnownReferences;
use super::row::{COUNT_COLUMNS, ROW_BINDS, StoredRow, columns, read_counts};
use super::total::{self, DayDeltas};
use crate::topic::Topic;
use crate::unit::{Store, Unit};

/// Keys looked up by one statement.
const LOOKUP_CHUNK: usize = 4096;

/// A part of a report, its rows sound in themselves and no two of one key.
#[derive(Debug, Clone)]
pub struct Batch {
    /// Who reports.
    pub source: SourceName,
    /// What.
    pub rows: Vec<DeliveryRow>,
    /// With these rows every hour before this instant is complete.
    pub complete_through: Option<Timestamp>,
}

/// What became of a batch.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct BatchOutcome {
    /// Rows whose key was new.
    pub inserted: i64,
    /// Rows that replaced a lower revision.
    pub updated: i64,
    /// Rows that changed nothing.
    pub stale: i64,
    /// Rows that could not be taken, by their index.
    pub refused: Vec<(usize, RowRefusal)>,
    /// The seq of the last row or watermark.
    pub seq: i64,
    /// How far the source has reported.
    pub complete_through: Option<Timestamp>,
}

/// Stores `batches`, in their order, and answers what became of each; durable when this returns.
pub async fn ingest(
    store: &Store,
    known: &KnownReferences,
    batches: &[Batch],
    zone: &TimeZone,
    now: Timestamp,
) -> Result<Vec<BatchOutcome>, StorageError> {
    let unknown = &known.refusals(store.db(), batches).await?;
    let ids: &Vec<Vec<Uuid>> = &batches
        .iter()
        .map(|batch| batch.rows.iter().map(|row| row_id(&row.key)).collect())
        .collect();
    store
        .write("report_delivery", now, |unit| async move {
            let mut intake = Intake::load(&unit, batches, ids).await?;
            let mut outcomes = Vec::with_capacity(batches.len());
            for (index, batch) in batches.iter().enumerate() {
                outcomes.push(intake.take(batch, &ids[index], &unknown[index], zone, now));
            }
            let seq = intake.store(&unit).await?;
            for outcome in &mut outcomes {
                outcome.seq = seq;
            }
            Ok(outcomes)
        })
        .await
}

/// What the batches meet, and what they make of it.
struct Intake<'a> {
    gate: Gate,
    sources: BTreeMap<SourceName, Source>,
    /// Revision and counts that stand, by primary key; rows of this intake included.
    standing: HashMap<Uuid, (i64, DeliveryCounts)>,
    accepted: BTreeMap<Uuid, &'a DeliveryRow>,
    /// The sources whose watermark moves.
    advanced: Vec<SourceName>,
    /// The sources that have rows earlier than ever.
    extended: Vec<SourceName>,
    days: DayDeltas,
    last_hours: HashMap<Uuid, Timestamp>,
}

impl<'a> Intake<'a> {
    async fn load(
        txn: &DatabaseTransaction,
        batches: &[Batch],
        ids: &[Vec<Uuid>],
    ) -> Result<Self, StorageError> {
        let mut names: Vec<SourceName> = batches.iter().map(|batch| batch.source.clone()).collect();
        names.sort_unstable();
        names.dedup();
        let mut ids: Vec<Uuid> = ids.iter().flatten().copied().collect();
        ids.sort_unstable();
        ids.dedup();
        Ok(Self {
            gate: gate::lock(txn).await?,
            sources: gate::load_sources(txn, Some(&names)).await?,
            standing: load_standing(txn, &ids).await?,
            accepted: BTreeMap::new(),
            advanced: Vec::new(),
            extended: Vec::new(),
            days: DayDeltas::default(),
            last_hours: HashMap::new(),
        })
    }

    fn take(
        &mut self,
        batch: &'a Batch,
        ids: &[Uuid],
        unknown: &HashMap<usize, RowRefusal>,
        zone: &TimeZone,
        now: Timestamp,
    ) -> BatchOutcome {
        let mut outcome = BatchOutcome::default();
        let gates = Gates {
            frozen_through: self.gate.frozen_through,
            complete_through: self
                .sources
                .get(&batch.source)
                .and_then(|source| source.complete_through),
        };
        for (index, (row, id)) in batch.rows.iter().zip(ids).enumerate() {
            if let Some(refusal) = unknown.get(&index) {
                outcome.refused.push((index, refusal.clone()));
                continue;
            }
            let stored = self.standing.get(id).copied();
            match row.admit(stored.map(|(revision, _)| revision), &gates) {
                Admission::Stale => outcome.stale += 1,
                Admission::Refused(refusal) => outcome.refused.push((index, refusal)),
                Admission::Update => {
                    outcome.updated += 1;
                    self.accept(*id, row, stored, zone, now);
                }
                Admission::Insert => {
                    outcome.inserted += 1;
                    self.accept(*id, row, None, zone, now);
                }
            }
        }
        outcome.complete_through = self.complete(batch, now).or(gates.complete_through);
        outcome
    }

    fn accept(
        &mut self,
        id: Uuid,
        row: &'a DeliveryRow,
        stored: Option<(i64, DeliveryCounts)>,
        zone: &TimeZone,
        now: Timestamp,
    ) {
        let before = stored.map_or_else(DeliveryCounts::default, |(_, counts)| counts);
        self.days.add(&row.key, row.counts.minus(before), zone);
        self.standing.insert(id, (row.revision, row.counts));
        self.accepted.insert(id, row);
        if stored.is_some() {
            return;
        }
        let hour = row.key.hour;
        let last = self
            .last_hours
            .entry(row.key.ad_unit.uuid())
            .or_insert(hour);
        *last = hour.max(*last);
        let source = source_entry(&mut self.sources, &row.key.source, now);
        if source.first_hour.is_none_or(|first| hour < first) {
            source.first_hour = Some(hour);
            self.extended.push(row.key.source.clone());
        }
    }

    /// Moves the watermark of the batch's source, if that is news.
    fn complete(&mut self, batch: &Batch, now: Timestamp) -> Option<Timestamp> {
        let reported = batch.complete_through?;
        let source = source_entry(&mut self.sources, &batch.source, now);
        let (through, news) = advance(source.complete_through, reported);
        if news {
            source.complete_through = Some(through);
            source.updated_at = now;
            self.advanced.push(batch.source.clone());
        }
        Some(through)
    }

    /// Writes what was accepted and answers the seq of the last of it.
    async fn store(mut self, unit: &Unit) -> Result<i64, StorageError> {
        if self.accepted.is_empty() && self.advanced.is_empty() {
            return Ok(self.gate.head_seq);
        }
        let rows = self.number_rows(unit.now());
        upsert_rows(unit, &rows).await?;
        self.number_watermarks();
        total::add_days(unit, &self.days, self.gate.head_seq).await?;
        total::raise_last_hours(unit, &self.last_hours).await?;
        let moved: Vec<(&SourceName, Source)> = self
            .sources
            .iter()
            .filter(|(name, _)| self.advanced.contains(name) || self.extended.contains(name))
            .map(|(name, source)| (name, *source))
            .collect();
        gate::store_sources(unit, &moved).await?;
        gate::advance(unit, &self.gate).await?;
        // Wakes who follows delivery; what changed they read by the seqs of the rows.
        unit.note(Topic::Delivery, Uuid::nil());
        Ok(self.gate.head_seq)
    }

    fn number_rows(&mut self, now: Timestamp) -> Vec<(Uuid, StoredRow)> {
        let gate = &mut self.gate;
        self.accepted
            .iter()
            .map(|(id, row)| {
                gate.head_seq += 1;
                let stored = StoredRow {
                    seq: gate.head_seq,
                    row: (*row).clone(),
                    reported_at: now,
                };
                (*id, stored)
            })
            .collect()
    }

    /// After the rows, so that no watermark is read before a row that it speaks of.
    fn number_watermarks(&mut self) {
        self.advanced.sort_unstable();
        self.advanced.dedup();
        for name in &self.advanced {
            if let Some(source) = self.sources.get_mut(name) {
                self.gate.head_seq += 1;
                source.seq = self.gate.head_seq;
            }
        }
    }
}

fn source_entry<'m>(
    sources: &'m mut BTreeMap<SourceName, Source>,
    name: &SourceName,
    now: Timestamp,
) -> &'m mut Source {
    sources.entry(name.clone()).or_insert(Source {
        first_hour: None,
        complete_through: None,
        seq: 0,
        updated_at: now,
    })
}

async fn load_standing(
    txn: &DatabaseTransaction,
    ids: &[Uuid],
) -> Result<HashMap<Uuid, (i64, DeliveryCounts)>, StorageError> {
    let mut standing = HashMap::with_capacity(ids.len());
    for chunk in ids.chunks(LOOKUP_CHUNK) {
        let select = Query::select()
            .columns(["id", "revision"])
            .columns(COUNT_COLUMNS)
            .from("delivery_rows")
            .and_where(Expr::col("id").is_in(padded(chunk.iter().copied())))
            .to_owned();
        for result in txn.query_all(&select).await? {
            let counts = read_counts(&result, 2)?;
            let revision = result.try_get_by_index(1)?;
            standing.insert(result.try_get_by_index(0)?, (revision, counts));
        }
    }
    Ok(standing)
}

async fn upsert_rows(
    txn: &DatabaseTransaction,
    rows: &[(Uuid, StoredRow)],
) -> Result<(), StorageError> {
    let engine = Engine::from(txn.get_database_backend());
    let conflict = OnConflict::column("id")
        .update_columns(["seq", "revision", "reason", "reported_at"])
        .update_columns(COUNT_COLUMNS)
        .to_owned();
    for chunk in fixed(engine, ROW_BINDS, rows) {
        let mut insert = Query::insert();
        insert.into_table("delivery_rows").columns(columns());
        for (id, row) in chunk {
            insert.values_panic(row.values(*id).map(Expr::val));
        }
        insert.on_conflict(conflict.clone());
        txn.execute(&insert).await?;
    }
    Ok(())
}
