//! Mutations: done once per request, whose first definitive outcome is stored with its effect and answered again.

use cleave_kernel::{RequestId, Timestamp};
use cleave_storage::idempotency::{self, Fingerprint, Lookup, Remembered, RequestKey};
use operations_domain::{Aggregate, Refusal};
use operations_store::{Record, Unit, record};
use serde::Serialize;
use serde::de::DeserializeOwned;

use super::{App, Error};

/// A mutation that somebody asked for.
#[derive(Debug, Clone)]
pub struct Request {
    /// The caller's name for it.
    pub id: RequestId,
    /// The method it was sent to.
    pub method: &'static str,
    /// What it asks for, to tell a repetition from another request.
    pub fingerprint: Fingerprint,
}

impl Request {
    /// A request with this id for `method`, as `message` asks.
    pub fn new(id: RequestId, method: &'static str, message: &[u8]) -> Self {
        Self {
            id,
            method,
            fingerprint: Fingerprint::of(method, message),
        }
    }

    const fn key(&self) -> RequestKey {
        RequestKey {
            id: self.id.uuid(),
            fingerprint: self.fingerprint,
        }
    }
}

impl App {
    /// Runs `body` in a transaction, unless the request was decided before: then answers as it was. A refusal is
    /// an outcome as well, so `body` decides before it writes.
    ///
    /// # Errors
    /// Those of `body`, and when the request's id stands for another content.
    pub async fn mutate<T, F, Fut>(&self, request: &Request, body: F) -> Result<T, Error>
    where
        T: Serialize + DeserializeOwned,
        F: Fn(Unit) -> Fut,
        Fut: Future<Output = Result<T, Error>>,
    {
        let now = self.clock.now();
        let body = &body;
        let outcome = self
            .store
            .write(request.method, now, |unit| async move {
                if let Some(outcome) = decided(&unit, request).await? {
                    return Ok(outcome);
                }
                let outcome = match body(unit.clone()).await {
                    Ok(value) => Ok(value),
                    Err(Error::Refused(refusal)) if !unit.has_written() => Err(refusal),
                    Err(Error::Refused(refusal)) => {
                        return Err(Error::Fault(format!("refused after a write: {refusal}")));
                    }
                    Err(error) => return Err(error),
                };
                remember(&unit, request, &outcome).await?;
                Ok(outcome)
            })
            .await?;
        outcome.map_err(Error::Refused)
    }

    /// Stores a new noun.
    pub(crate) async fn create<R, F, Fut>(&self, request: &Request, make: F) -> Result<R, Error>
    where
        R: Record + Aggregate<Id = <R as Record>::Id>,
        F: Fn(Unit) -> Fut,
        Fut: Future<Output = Result<R, Error>>,
    {
        let make = &make;
        self.mutate(request, |unit| async move {
            let noun = make(unit.clone()).await?;
            insert(&unit, &noun).await?;
            Ok(noun)
        })
        .await
    }

    /// Changes the noun with this id, if it is still at `version`, as `decide` says.
    pub(crate) async fn change<R, F>(
        &self,
        request: &Request,
        id: <R as Record>::Id,
        version: i64,
        decide: F,
    ) -> Result<R, Error>
    where
        R: Record + Aggregate<Id = <R as Record>::Id>,
        <R as Record>::Id: Send + Sync,
        F: Fn(&mut R, Timestamp) -> Result<(), Refusal>,
    {
        let decide = &decide;
        self.mutate(request, |unit| async move {
            let before = lock::<R>(&unit, id, version).await?;
            let mut noun = before.clone();
            decide(&mut noun, unit.now())?;
            update(&unit, &before, &noun).await?;
            Ok(noun)
        })
        .await
    }
}

/// The noun with this id, which stays as it is until the transaction ends.
pub(crate) async fn lock_any<R>(unit: &Unit, id: <R as Record>::Id) -> Result<R, Error>
where
    R: Record + Aggregate<Id = <R as Record>::Id>,
{
    record::lock::<R>(unit, id)
        .await?
        .ok_or_else(|| Error::not_found::<R>(id))
}

/// The same, if it is still at `version`.
pub(crate) async fn lock<R>(unit: &Unit, id: <R as Record>::Id, version: i64) -> Result<R, Error>
where
    R: Record + Aggregate<Id = <R as Record>::Id>,
{
    let noun = lock_any::<R>(unit, id).await?;
    noun.check_version(version)?;
    Ok(noun)
}

/// The noun above another one, which is only looked at.
pub(crate) async fn parent<R>(unit: &Unit, id: <R as Record>::Id) -> Result<R, Error>
where
    R: Record + Aggregate<Id = <R as Record>::Id>,
{
    record::find::<R, _>(&**unit, id)
        .await?
        .ok_or_else(|| Error::not_found::<R>(id))
}

/// Stores a new noun, unless its id or a key of it is taken.
pub(crate) async fn insert<R: Record>(unit: &Unit, noun: &R) -> Result<(), Error> {
    if let Some(refusal) = record::conflict(unit, noun).await? {
        return Err(refusal.into());
    }
    Ok(record::insert(unit, noun).await?)
}

/// Stores the next version of a noun, unless a new key of it is taken.
pub(crate) async fn update<R: Record>(unit: &Unit, before: &R, noun: &R) -> Result<(), Error> {
    if before.unique_keys() != noun.unique_keys()
        && let Some(refusal) = record::conflict(unit, noun).await?
    {
        return Err(refusal.into());
    }
    Ok(record::update(unit, noun).await?)
}

async fn decided<T: DeserializeOwned>(
    unit: &Unit,
    request: &Request,
) -> Result<Option<Result<T, Refusal>>, Error> {
    let mut found = idempotency::lookup(&***unit, &[request.key()]).await?;
    match found.pop() {
        None | Some(Lookup::New) => Ok(None),
        Some(Lookup::Replay(outcome)) => serde_json::from_slice(&outcome)
            .map(Some)
            .map_err(|error| Error::Fault(format!("a stored outcome cannot be read: {error}"))),
        Some(Lookup::Mismatch) => Err(Error::Mismatch {
            request: request.id,
        }),
    }
}

async fn remember<T: Serialize>(
    unit: &Unit,
    request: &Request,
    outcome: &Result<T, Refusal>,
) -> Result<(), Error> {
    let outcome = serde_json::to_vec(outcome)
        .map_err(|error| Error::Fault(format!("an outcome cannot be stored: {error}")))?;
    let remembered = Remembered {
        key: request.key(),
        method: request.method,
        outcome,
    };
    Ok(idempotency::remember(unit, unit.now(), &[remembered]).await?)
}
