//! The ledger writer: the only way money is written.
//!
//! Commands that arrive while a batch commits form the next one. A batch is one transaction: it locks the accounts it
//! touches in the order of their ids, then their ledger accounts likewise, applies the rules to each command in turn, and
//! writes what came of it in bulk. A refusal touches only its own command. Several replicas may do this on one database:
//! whoever touches the same account waits for the lock, and keys that two of them may take at once are plain inserts, on which
//! the loser runs again and finds what the winner did.

mod batch;
mod command;
mod load;
mod save;
mod scope;

pub use command::Command;
pub(crate) use scope::Scope;

use crate::error::StoreError;
use billing_domain::work::NextId;
use billing_domain::{Outcome, Period, Refusal};
use cleave_kernel::{SharedClock, Timestamp};
use cleave_storage::idempotency::{Fingerprint, RequestKey};
use cleave_storage::{Database, FeedSignal};
use jiff::tz::TimeZone;
use std::sync::Arc;
use std::time::Duration;
use uuid::Uuid;

/// What the rules decided: done, or refused. Either is kept with the request for ever.
pub type Decision = Result<Outcome, Refusal>;

/// A command on its way to the writer.
#[derive(Debug, Clone)]
pub struct Submission {
    pub(crate) command: Command,
    pub(crate) request: Option<RequestKey>,
}

impl Submission {
    /// A command that somebody asked for under `request_id`, in a message of these bytes.
    pub fn requested(command: Command, request_id: Uuid, message: &[u8]) -> Self {
        let fingerprint = Fingerprint::of(command.name(), message);
        Self {
            command,
            request: Some(RequestKey {
                id: request_id,
                fingerprint,
            }),
        }
    }

    /// A command of our own that is safe to repeat by itself.
    pub const fn internal(command: Command) -> Self {
        Self {
            command,
            request: None,
        }
    }
}

/// Runs batches of commands.
#[derive(Clone)]
pub(crate) struct Writer {
    pub(crate) database: Database,
    pub(crate) signal: FeedSignal,
    pub(crate) clock: SharedClock,
    pub(crate) corrections: Corrections,
    pub(crate) next_id: NextId,
}

/// How long the delivery of a month may be corrected.
#[derive(Clone)]
pub(crate) struct Corrections {
    /// Where accounting months begin and end.
    pub(crate) zone: TimeZone,
    /// How long after the end of the month.
    pub(crate) window: Duration,
}

impl Corrections {
    /// When the corrections of a month are over.
    fn end(&self, month: Period) -> Timestamp {
        month.ends_at(&self.zone).plus(self.window)
    }
}

impl Writer {
    /// The moment, and the accounting month it lies in.
    fn time(&self) -> (Timestamp, Period) {
        let now = self.clock.now();
        (now, Period::of(now, &self.corrections.zone))
    }

    /// Answers each submission, in order.
    pub(crate) async fn run(
        &self,
        submissions: Vec<Submission>,
    ) -> Vec<Result<Decision, StoreError>> {
        let submissions: Vec<_> = submissions.into_iter().map(Arc::new).collect();
        let decisions = self.decide(&submissions).await;
        count(&submissions, &decisions);
        decisions
    }

    async fn decide(&self, submissions: &[Arc<Submission>]) -> Vec<Result<Decision, StoreError>> {
        match self.transact(submissions).await {
            Ok(decisions) => decisions,
            // One command may have spoiled the batch: alone, it spoils only itself.
            Err(error) if error.may_be_one_commands() && submissions.len() > 1 => {
                tracing::error!(
                    batch.commands = submissions.len(),
                    %error,
                    "a batch failed; its commands run one by one"
                );
                let mut decisions = Vec::with_capacity(submissions.len());
                for submission in submissions {
                    let alone = self.transact(std::slice::from_ref(submission)).await;
                    decisions.push(match alone {
                        Ok(decision) => {
                            decision.into_iter().next().unwrap_or(Err(StoreError::Lost))
                        }
                        Err(error) => Err(error),
                    });
                }
                decisions
            }
            Err(error) => submissions.iter().map(|_| Err(error.clone())).collect(),
        }
    }

    async fn transact(
        &self,
        submissions: &[Arc<Submission>],
    ) -> Result<Vec<Result<Decision, StoreError>>, StoreError> {
        let done = self
            .database
            .transaction("ledger", |txn| async move {
                batch::run(&txn, submissions, self).await
            })
            .await?;
        if let Some(seq) = done.seq {
            self.signal.committed(seq);
        }
        Ok(done.decisions)
    }
}

/// Counts commands by what became of them.
fn count(submissions: &[Arc<Submission>], decisions: &[Result<Decision, StoreError>]) {
    for (submission, decision) in submissions.iter().zip(decisions) {
        let outcome = match decision {
            Ok(Ok(_)) => "done",
            Ok(Err(_)) => "refused",
            Err(_) => "failed",
        };
        let command = submission.command.name();
        metrics::counter!("billing_ledger_commands_total", "command" => command, "outcome" => outcome)
            .increment(1);
    }
    // Few enough for a float to be exact.
    let commands = u32::try_from(submissions.len()).unwrap_or(u32::MAX);
    metrics::histogram!("billing_ledger_batch_commands").record(f64::from(commands));
}
