//! The one way to run a transaction: begin, run, commit, and again when another one was in the way.
//!
//! Whoever stops waiting, because a deadline passed or a caller went away, drops the future of a transaction or a
//! read, and with it ends the statement that runs in the database (see `lane`).

use std::ops::Deref;
use std::sync::Arc;
use std::time::Instant;

use sea_orm::{
    AccessMode, ConnectionTrait, DatabaseTransaction, DbBackend, DbErr, ExecResult, IsolationLevel,
    QueryResult, SqliteTransactionMode, Statement, TransactionOptions,
};
use sea_orm_migration::async_trait;

use crate::lane::{Lane, Reader};
use crate::retry::Tries;
use crate::{Database, Engine, Retryable, StorageError};

/// A transaction as its body sees it: statements run in it like on any connection, but only the helper can
/// commit it. Owned rather than borrowed, because a body that borrows it is not `Send` for the compiler.
pub struct Transaction(Arc<DatabaseTransaction>);

/// Why a try ended, and whether the database can have kept its effects.
struct Failure<E> {
    error: E,
    /// The commit was sent and no answer came: its outcome is unknown, so running again could do it twice.
    in_doubt: bool,
}

impl Database {
    /// Runs `body` in a transaction and commits when it answers `Ok`; rolls back when it answers `Err`.
    ///
    /// Contention and lost connections run `body` again, up to eight times, so it must have no effect outside
    /// the transaction. A commit whose answer was lost is not repeated: the caller, who holds the request's
    /// id, learns `Unavailable`. SQLite takes the write lock at the start; the other engines run READ
    /// COMMITTED, so what `body` decides on it must lock (`lock_exclusive`).
    pub async fn transaction<T, E, F, Fut>(&self, name: &'static str, body: F) -> Result<T, E>
    where
        F: Fn(Transaction) -> Fut,
        Fut: Future<Output = Result<T, E>>,
        E: From<StorageError> + Retryable,
    {
        let (mut tries, started) = (Tries::new(), Instant::now());
        loop {
            let failure = match self.try_transaction(&body).await {
                Ok(value) => {
                    metrics::histogram!("storage_transaction_seconds", "name" => name)
                        .record(started.elapsed());
                    return Ok(value);
                }
                Err(failure) => failure,
            };
            if failure.in_doubt || !retry(name, &failure.error, &mut tries).await {
                return Err(failure.error);
            }
        }
    }

    /// Runs `body` on one consistent view of the database, in which it can only read. For reads of several
    /// statements that must agree.
    pub async fn snapshot<T, E, F, Fut>(&self, name: &'static str, body: F) -> Result<T, E>
    where
        F: Fn(Transaction) -> Fut,
        Fut: Future<Output = Result<T, E>>,
        E: From<StorageError> + Retryable,
    {
        let options = match self.engine() {
            Engine::Sqlite => TransactionOptions::default(),
            Engine::Postgres | Engine::MySql => TransactionOptions {
                isolation_level: Some(IsolationLevel::RepeatableRead),
                access_mode: Some(AccessMode::ReadOnly),
                sqlite_transaction_mode: None,
            },
        };
        let mut tries = Tries::new();
        loop {
            match self.try_snapshot(options, &body).await {
                Ok(value) => return Ok(value),
                Err(error) if retry(name, &error, &mut tries).await => {}
                Err(error) => return Err(error),
            }
        }
    }

    /// Runs `body`, which only reads, and runs it again when its connection broke. It must not ask for another
    /// connection while it holds this one.
    pub async fn read<'a, T, E, F, Fut>(&'a self, name: &'static str, body: F) -> Result<T, E>
    where
        F: Fn(&'a Reader) -> Fut,
        Fut: Future<Output = Result<T, E>>,
        E: From<StorageError> + Retryable,
    {
        let mut tries = Tries::new();
        loop {
            let lease = self.readers().lease().await?;
            let read = body(lease.lane().reader()).await;
            lease.finish();
            match read {
                Ok(value) => return Ok(value),
                Err(error) if retry(name, &error, &mut tries).await => {}
                Err(error) => return Err(error),
            }
        }
    }

    async fn try_snapshot<T, E, F, Fut>(
        &self,
        options: TransactionOptions,
        body: &F,
    ) -> Result<T, E>
    where
        F: Fn(Transaction) -> Fut,
        Fut: Future<Output = Result<T, E>>,
        E: From<StorageError> + Retryable,
    {
        let lease = self.readers().lease().await?;
        let seen = async {
            let (txn, handle) = begin(lease.lane(), options).await?;
            let value = body(handle).await?;
            txn.rollback().await?;
            Ok(value)
        };
        let seen = seen.await;
        lease.finish();
        seen
    }

    async fn try_transaction<T, E, F, Fut>(&self, body: &F) -> Result<T, Failure<E>>
    where
        F: Fn(Transaction) -> Fut,
        Fut: Future<Output = Result<T, E>>,
        E: From<StorageError> + Retryable,
    {
        // The isolation level is the session's (see `connect`), which saves a round trip here.
        let options = TransactionOptions {
            isolation_level: None,
            access_mode: None,
            sqlite_transaction_mode: (self.engine() == Engine::Sqlite)
                .then_some(SqliteTransactionMode::Immediate),
        };
        let lease = self.writers().lease().await.map_err(Failure::sure)?;
        let done = run(lease.lane(), options, body).await;
        lease.finish();
        done
    }
}

async fn run<T, E, F, Fut>(
    lane: &Lane,
    options: TransactionOptions,
    body: &F,
) -> Result<T, Failure<E>>
where
    F: Fn(Transaction) -> Fut,
    Fut: Future<Output = Result<T, E>>,
    E: From<StorageError> + Retryable,
{
    let (txn, handle) = begin(lane, options).await.map_err(Failure::sure)?;
    match body(handle).await {
        Ok(value) => match txn.commit().await {
            Ok(()) => Ok(value),
            Err(error) => Err(Failure {
                in_doubt: matches!(error, StorageError::Unavailable { .. }),
                error: E::from(error),
            }),
        },
        Err(error) => {
            // When this fails the connection is gone, and its transaction with it.
            let _ = txn.rollback().await;
            Err(Failure {
                error,
                in_doubt: false,
            })
        }
    }
}

/// The helper's end of a transaction, which alone can finish it.
struct Begun(Arc<DatabaseTransaction>);

impl Begun {
    async fn commit(self) -> Result<(), StorageError> {
        Ok(self.finished()?.commit().await?)
    }

    async fn rollback(self) -> Result<(), StorageError> {
        Ok(self.finished()?.rollback().await?)
    }

    /// The transaction, once its body let go of it.
    fn finished(self) -> Result<DatabaseTransaction, StorageError> {
        Arc::try_unwrap(self.0).map_err(|_| StorageError::Internal {
            source: DbErr::Custom("a transaction's body kept its handle".to_owned()),
        })
    }
}

impl<E: From<StorageError>> Failure<E> {
    fn sure(error: StorageError) -> Self {
        Self {
            error: E::from(error),
            in_doubt: false,
        }
    }
}

async fn begin(
    lane: &Lane,
    options: TransactionOptions,
) -> Result<(Begun, Transaction), StorageError> {
    let txn = Arc::new(lane.begin(options).await?);
    Ok((Begun(Arc::clone(&txn)), Transaction(txn)))
}

/// Whether to try again; pauses first when so.
async fn retry<E: Retryable>(name: &'static str, error: &E, tries: &mut Tries) -> bool {
    let Some(error) = error.storage_error().filter(|error| error.is_retryable()) else {
        return false;
    };
    let kind = error.kind();
    if tries.again().await {
        metrics::counter!("storage_transaction_retries_total", "name" => name, "kind" => kind)
            .increment(1);
        return true;
    }
    tracing::warn!(
        transaction.name = name,
        error.kind = kind,
        "gave up a transaction after its last try"
    );
    false
}

impl Deref for Transaction {
    type Target = DatabaseTransaction;

    fn deref(&self) -> &DatabaseTransaction {
        &self.0
    }
}

#[async_trait::async_trait]
impl ConnectionTrait for Transaction {
    fn get_database_backend(&self) -> DbBackend {
        self.0.get_database_backend()
    }

    async fn execute_raw(&self, statement: Statement) -> Result<ExecResult, DbErr> {
        self.0.execute_raw(statement).await
    }

    async fn execute_unprepared(&self, sql: &str) -> Result<ExecResult, DbErr> {
        self.0.execute_unprepared(sql).await
    }

    async fn query_one_raw(&self, statement: Statement) -> Result<Option<QueryResult>, DbErr> {
        self.0.query_one_raw(statement).await
    }

    async fn query_all_raw(&self, statement: Statement) -> Result<Vec<QueryResult>, DbErr> {
        self.0.query_all_raw(statement).await
    }
}
