//! The first definitive outcome of a request, kept in the transaction of its effect and replayed for ever.
//! Refusals are outcomes too; errors that may pass (contention, no connection) are not, and must roll back.

use std::collections::HashMap;

use cleave_kernel::Timestamp;
use sea_orm::sea_query::{Expr, Query};
use sea_orm::{ConnectionTrait, DatabaseTransaction};
use sha2::{Digest, Sha256};
use uuid::Uuid;

use crate::{Bulk, Column, StorageError, one_of};

const OUTCOMES: Bulk<5> = Bulk::new(
    "idempotency",
    [
        Column::uuid("request_id"),
        Column::text("method"),
        Column::bytes("fingerprint"),
        Column::bytes("outcome"),
        Column::big_int("recorded_at"),
    ],
);
/// Ids looked up by one statement.
const LOOKUP_CHUNK: usize = 1024;

/// What a request asks for, as a hash: the same id with another fingerprint is another request.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Fingerprint([u8; 32]);

impl Fingerprint {
    /// The fingerprint of `message` (its canonical bytes) sent to `method`.
    pub fn of(method: &str, message: &[u8]) -> Self {
        let mut hash = Sha256::new();
        // A method's name has no NUL, so name and message cannot run into each other.
        hash.update(method.as_bytes());
        hash.update([0]);
        hash.update(message);
        Self(hash.finalize().into())
    }

    /// The hash.
    pub const fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }
}

/// A request by its id and what it asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct RequestKey {
    /// The caller's id for it.
    pub id: Uuid,
    /// What it asks for.
    pub fingerprint: Fingerprint,
}

/// What is known about a request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Lookup {
    /// Nothing: do it.
    New,
    /// It has this outcome: answer that.
    Replay(Vec<u8>),
    /// Its id was used for something else: refuse it.
    Mismatch,
}

/// An outcome to keep.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Remembered {
    /// The request.
    pub key: RequestKey,
    /// The method it was sent to, for people who read the table.
    pub method: &'static str,
    /// The outcome, in a form that the store can read for as long as the row lives.
    pub outcome: Vec<u8>,
}

/// Looks all `keys` up; answers in their order.
pub async fn lookup<C: ConnectionTrait>(
    conn: &C,
    keys: &[RequestKey],
) -> Result<Vec<Lookup>, StorageError> {
    let requests = Requests::load(conn, keys).await?;
    Ok(keys.iter().map(|key| requests.lookup(key)).collect())
}

/// Keeps outcomes. An id that is already there was taken by a twin that ran at the same time: the transaction
/// counts as contended, and its next try finds the twin's outcome.
pub async fn remember(
    txn: &DatabaseTransaction,
    at: Timestamp,
    outcomes: &[Remembered],
) -> Result<(), StorageError> {
    // In the order of the ids: of two replicas that got the same two requests the other way around, one waits for the
    // other, instead of each for the other.
    let mut outcomes: Vec<_> = outcomes.iter().collect();
    outcomes.sort_unstable_by_key(|kept| kept.key.id);
    let rows = outcomes.into_iter().map(|kept| {
        [
            kept.key.id.into(),
            kept.method.into(),
            kept.key.fingerprint.as_bytes().to_vec().into(),
            kept.outcome.clone().into(),
            at.micros().into(),
        ]
    });
    OUTCOMES
        .insert(txn, rows.collect())
        .await
        .map_err(StorageError::unique_is_contention)
}

/// The requests of one batch: what the database knows of them and what the batch itself decides, so that a
/// request that is in the batch twice is done once.
pub struct Requests {
    known: HashMap<Uuid, (Vec<u8>, Vec<u8>)>,
    decided: Vec<Remembered>,
}

impl Requests {
    /// Loads what the database knows of `keys`.
    pub async fn load<C: ConnectionTrait>(
        conn: &C,
        keys: &[RequestKey],
    ) -> Result<Self, StorageError> {
        Ok(Self {
            known: load(conn, keys).await?,
            decided: Vec::new(),
        })
    }

    /// What is known about one of the requests, counting those decided in this batch.
    pub fn lookup(&self, key: &RequestKey) -> Lookup {
        match self.known.get(&key.id) {
            None => Lookup::New,
            Some((fingerprint, _)) if fingerprint != key.fingerprint.as_bytes() => Lookup::Mismatch,
            Some((_, outcome)) => Lookup::Replay(outcome.clone()),
        }
    }

    /// Notes the outcome of a request that was new.
    pub fn decide(&mut self, key: RequestKey, method: &'static str, outcome: Vec<u8>) {
        let fingerprint = key.fingerprint.as_bytes().to_vec();
        self.known.insert(key.id, (fingerprint, outcome.clone()));
        self.decided.push(Remembered {
            key,
            method,
            outcome,
        });
    }

    /// Keeps what the batch decided.
    pub async fn store(self, txn: &DatabaseTransaction, at: Timestamp) -> Result<(), StorageError> {
        remember(txn, at, &self.decided).await
    }
}

/// Fingerprint and outcome of those `keys` that are known.
async fn load<C: ConnectionTrait>(
    conn: &C,
    keys: &[RequestKey],
) -> Result<HashMap<Uuid, (Vec<u8>, Vec<u8>)>, StorageError> {
    let backend = conn.get_database_backend();
    let mut known = HashMap::new();
    for chunk in keys.chunks(LOOKUP_CHUNK) {
        let select = Query::select()
            .columns(["request_id", "fingerprint", "outcome"])
            .from("idempotency")
            .and_where(one_of(
                backend,
                Expr::col("request_id"),
                chunk.iter().map(|key| key.id),
            ))
            .to_owned();
        for row in conn.query_all(&select).await? {
            known.insert(
                row.try_get_by_index(0)?,
                (row.try_get_by_index(1)?, row.try_get_by_index(2)?),
            );
        }
    }
    Ok(known)
}
