//! What can be asked of billing, in the words of the domain. Knows no protocol.

mod account;
mod catch_up;
mod error;
mod ledger;
mod rating;
mod reservation;
mod spend;

pub(crate) use catch_up::CatchUp;
pub use error::Error;
pub(crate) use spend::Spend;

use billing_domain::Outcome;
use billing_store::{Command, Store, Submission};
use cleave_kernel::{RequestId, SharedClock};

/// A mutation that somebody asked for.
#[derive(Debug, Clone)]
pub struct Request {
    /// The caller's name for it.
    pub id: RequestId,
    /// The message it came in, to tell a repetition from another request.
    pub message: Vec<u8>,
}

/// Answers what is asked. Clones share everything.
#[derive(Clone)]
pub struct App {
    store: Store,
    catch_up: CatchUp,
}

impl App {
    /// Answers from this store.
    pub fn new(store: Store) -> Self {
        Self {
            store,
            catch_up: CatchUp::default(),
        }
    }

    /// Whether delivery is still being caught up with after a restore.
    pub(crate) const fn catch_up(&self) -> &CatchUp {
        &self.catch_up
    }

    /// The rows.
    pub const fn store(&self) -> &Store {
        &self.store
    }

    /// The clock of this side.
    pub const fn clock(&self) -> &SharedClock {
        self.store.clock()
    }

    /// Has the ledger writer do what was asked, or finds what it did before.
    pub(crate) async fn write(&self, command: Command, request: Request) -> Result<Outcome, Error> {
        let submission = Submission::requested(command, request.id.uuid(), &request.message);
        match self.store.submit(submission).await {
            Ok(decision) => Ok(decision?),
            Err(billing_store::StoreError::Mismatch) => Err(Error::Mismatch {
                request: request.id,
            }),
            Err(error) => Err(error.into()),
        }
    }

    /// Has the ledger writer do something of our own accord.
    pub(crate) async fn act(&self, command: Command) -> Result<Outcome, Error> {
        Ok(self.store.submit(Submission::internal(command)).await??)
    }
}

/// The outcome was of another kind than the command's: a stored outcome was tampered with, or a fault of ours.
pub(crate) fn unexpected(outcome: &Outcome) -> Error {
    Error::Fault(format!("an outcome of another kind: {outcome:?}"))
}
