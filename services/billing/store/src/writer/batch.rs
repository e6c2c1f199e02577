//! One batch in one transaction.

use super::{Decision, Scope, Submission, Writer, load, save};
use crate::error::StoreError;
use billing_domain::{Outcome, Refusal, Work};
use cleave_storage::idempotency::{Lookup, Requests};
use sea_orm::DatabaseTransaction;
use std::sync::Arc;

/// What a batch came to.
pub(super) struct Done {
    /// The answer to each submission, in order.
    pub(super) decisions: Vec<Result<Decision, StoreError>>,
    /// How far the change feed reaches with it, if it changed anything.
    pub(super) seq: Option<i64>,
}

pub(super) async fn run(
    txn: &DatabaseTransaction,
    submissions: &[Arc<Submission>],
    writer: &Writer,
) -> Result<Done, StoreError> {
    let mut scope = Scope::default();
    for submission in submissions {
        submission.command.scope(&mut scope);
    }
    let (begun, month) = writer.time();
    let mut work = Work::new(begun, month, writer.next_id);
    let stored = load::load(txn, &mut scope, &mut work, &writer.corrections).await?;
    // The moment of the batch is when it has its locks: read before, it would lie before that of the batch waited for,
    // and a wait over the turn of a month would book into the month that is over.
    let (now, period) = writer.time();
    work.set_moment(now, period);
    // Read after the locks: a twin of a request that ran on another replica has committed by now.
    let keys: Vec<_> = submissions.iter().filter_map(|s| s.request).collect();
    let mut requests = Requests::load(txn, &keys).await?;
    let decisions = submissions
        .iter()
        .map(|submission| decide(submission, &mut work, &mut requests))
        .collect::<Result<Vec<_>, _>>()?;
    if let Some(account) = work.overdrawn() {
        return Err(StoreError::Broken(format!(
            "account {account} would have less than nothing to spend"
        )));
    }
    let seq = save::save(txn, work, requests, &stored).await?;
    Ok(Done { decisions, seq })
}

/// The answer to one submission. The outer error abandons the whole batch.
fn decide(
    submission: &Submission,
    work: &mut Work,
    requests: &mut Requests,
) -> Result<Result<Decision, StoreError>, StoreError> {
    let known = match &submission.request {
        Some(key) => requests.lookup(key),
        None => Lookup::New,
    };
    match known {
        Lookup::Replay(bytes) => Ok(Ok(decode(&bytes)?)),
        Lookup::Mismatch => Ok(Err(StoreError::Mismatch)),
        Lookup::New => {
            let decision = submission.command.apply(work);
            if let Err(Refusal::Broken { rule }) = decision {
                return Err(StoreError::Broken(rule));
            }
            if let Some(key) = submission.request {
                requests.decide(key, submission.command.name(), encode(&decision)?);
            }
            Ok(Ok(decision))
        }
    }
}

fn encode(decision: &Decision) -> Result<Vec<u8>, StoreError> {
    serde_json::to_vec(decision).map_err(|error| StoreError::Broken(error.to_string()))
}

fn decode(bytes: &[u8]) -> Result<Result<Outcome, Refusal>, StoreError> {
    serde_json::from_slice(bytes)
        .map_err(|error| StoreError::corrupt(format!("idempotency.outcome: {error}")))
}
