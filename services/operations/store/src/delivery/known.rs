//! Which line items, terms and ad units exist. They are never deleted, so what was seen once is known for
//! good, and a steady stream of rows asks the database nothing.

use std::collections::{HashMap, HashSet};
use std::hash::Hash;
use std::sync::{Mutex, PoisonError};

use cleave_storage::{Database, StorageError, padded};
use operations_domain::delivery::RowRefusal;
use sea_orm::sea_query::{Expr, ExprTrait, Query, SelectStatement};
use sea_orm::{ConnectionTrait, QueryResult};
use uuid::Uuid;

use super::ingest::Batch;

/// Ids looked up by one statement.
const LOOKUP_CHUNK: usize = 1024;
/// How many of a kind are remembered; beyond it remembering starts anew.
const REMEMBERED: usize = 1_000_000;

/// What is known to exist.
#[derive(Debug, Default)]
pub struct KnownReferences {
    terms: Mutex<HashSet<(Uuid, i64)>>,
    ad_units: Mutex<HashSet<Uuid>>,
}

impl KnownReferences {
    /// The rows of each batch that refer to something that does not exist, by their index.
    pub(super) async fn refusals(
        &self,
        db: &Database,
        batches: &[Batch],
    ) -> Result<Vec<HashMap<usize, RowRefusal>>, StorageError> {
        let rows = || batches.iter().flat_map(|batch| &batch.rows);
        let unseen_terms = unseen(
            &self.terms,
            rows().map(|row| (row.key.line_item.uuid(), row.key.terms_version)),
        );
        let unseen_units = unseen(&self.ad_units, rows().map(|row| row.key.ad_unit.uuid()));
        if unseen_terms.is_empty() && unseen_units.is_empty() {
            return Ok(vec![HashMap::new(); batches.len()]);
        }
        let missing = &Missing::load(db, unseen_terms, unseen_units, self).await?;
        let refusals = |batch: &Batch| {
            let refused = batch.rows.iter().enumerate();
            refused
                .filter_map(|(index, row)| Some((index, missing.refusal(row)?)))
                .collect()
        };
        Ok(batches.iter().map(refusals).collect())
    }
}

/// What does not exist of what was asked for.
struct Missing {
    terms: HashSet<(Uuid, i64)>,
    ad_units: HashSet<Uuid>,
    line_items: HashSet<Uuid>,
}

impl Missing {
    async fn load(
        db: &Database,
        mut terms: HashSet<(Uuid, i64)>,
        mut ad_units: HashSet<Uuid>,
        known: &KnownReferences,
    ) -> Result<Self, StorageError> {
        let line_items: Vec<Uuid> = terms.iter().map(|(line_item, _)| *line_item).collect();
        let found_terms = existing_terms(db, &line_items).await?;
        let found_units: HashSet<Uuid> = existing(db, "ad_units", &ad_units).await?;
        terms.retain(|key| !found_terms.contains(key));
        ad_units.retain(|id| !found_units.contains(id));
        remember(&known.terms, found_terms);
        remember(&known.ad_units, found_units);
        let mut line_items: HashSet<Uuid> = terms.iter().map(|(line_item, _)| *line_item).collect();
        let found = existing(db, "line_items", &line_items).await?;
        line_items.retain(|id| !found.contains(id));
        Ok(Self {
            terms,
            ad_units,
            line_items,
        })
    }

    fn refusal(&self, row: &operations_domain::delivery::DeliveryRow) -> Option<RowRefusal> {
        let line_item = row.key.line_item.uuid();
        if self.line_items.contains(&line_item) {
            Some(RowRefusal::UnknownLineItem)
        } else if self.terms.contains(&(line_item, row.key.terms_version)) {
            Some(RowRefusal::UnknownTerms)
        } else if self.ad_units.contains(&row.key.ad_unit.uuid()) {
            Some(RowRefusal::UnknownAdUnit)
        } else {
            None
        }
    }
}

fn unseen<K: Eq + Hash>(seen: &Mutex<HashSet<K>>, keys: impl Iterator<Item = K>) -> HashSet<K> {
    let seen = seen.lock().unwrap_or_else(PoisonError::into_inner);
    keys.filter(|key| !seen.contains(key)).collect()
}

fn remember<K: Eq + Hash>(seen: &Mutex<HashSet<K>>, found: HashSet<K>) {
    let mut seen = seen.lock().unwrap_or_else(PoisonError::into_inner);
    if seen.len() > REMEMBERED {
        seen.clear();
    }
    seen.extend(found);
}

async fn existing_terms(
    db: &Database,
    line_items: &[Uuid],
) -> Result<HashSet<(Uuid, i64)>, StorageError> {
    let mut found = HashSet::new();
    for chunk in line_items.chunks(LOOKUP_CHUNK) {
        let select = Query::select()
            .columns(["line_item_id", "version"])
            .from("line_item_terms")
            .and_where(Expr::col("line_item_id").is_in(padded(chunk.iter().copied())))
            .to_owned();
        for result in query(db, &select).await? {
            found.insert((result.try_get_by_index(0)?, result.try_get_by_index(1)?));
        }
    }
    Ok(found)
}

async fn existing(
    db: &Database,
    table: &'static str,
    ids: &HashSet<Uuid>,
) -> Result<HashSet<Uuid>, StorageError> {
    let ids: Vec<Uuid> = ids.iter().copied().collect();
    let mut found = HashSet::new();
    for chunk in ids.chunks(LOOKUP_CHUNK) {
        let select = Query::select()
            .column("id")
            .from(table)
            .and_where(Expr::col("id").is_in(padded(chunk.iter().copied())))
            .to_owned();
        for result in query(db, &select).await? {
            found.insert(result.try_get_by_index(0)?);
        }
    }
    Ok(found)
}

async fn query(db: &Database, select: &SelectStatement) -> Result<Vec<QueryResult>, StorageError> {
    db.read("known_references", |conn| async move {
        Ok(conn.query_all(select).await?)
    })
    .await
}
