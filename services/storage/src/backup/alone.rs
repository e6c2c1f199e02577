//! An SQLite file opened by one connection, for what is done to a whole database.

use std::path::{Path, PathBuf};
use std::time::Duration;

use sea_orm::sqlx::sqlite::SqliteConnectOptions;
use sea_orm::{
    ConnectOptions, ConnectionTrait, Database as SeaOrm, DatabaseConnection, DbBackend, Statement,
    TransactionTrait,
};

use super::place::said;
use crate::StorageError;

/// How long another process's write is waited for.
const PATIENCE: Duration = Duration::from_secs(5);

/// The only connection of this process to a file.
pub(super) struct Alone {
    file: PathBuf,
    connection: DatabaseConnection,
}

impl Alone {
    /// Opens a file that is there.
    pub(super) async fn open(file: &Path) -> Result<Self, StorageError> {
        Self::open_with(file, PATIENCE).await
    }

    async fn open_with(file: &Path, patience: Duration) -> Result<Self, StorageError> {
        let named = file.to_owned();
        // What the address says is overridden: a path may have characters that an address may not.
        let mut connect = ConnectOptions::new("sqlite::memory:");
        connect
            .max_connections(1)
            .sqlx_logging(false)
            .map_sqlx_sqlite_opts(move |_| {
                SqliteConnectOptions::new()
                    .filename(&named)
                    .create_if_missing(false)
                    .busy_timeout(patience)
            });
        let connection = SeaOrm::connect(connect).await?;
        Ok(Self {
            file: file.to_owned(),
            connection,
        })
    }

    pub(super) const fn connection(&self) -> &DatabaseConnection {
        &self.connection
    }

    pub(super) async fn close(self) -> Result<(), StorageError> {
        Ok(self.connection.close().await?)
    }

    /// Writes a copy as of one moment.
    pub(super) async fn copy_to(&self, to: &Path) -> Result<(), StorageError> {
        let name = to
            .to_str()
            .ok_or_else(|| said(to, "has a name that is no text"))?;
        let copy =
            Statement::from_sql_and_values(DbBackend::Sqlite, "VACUUM INTO ?", [name.into()]);
        self.connection.execute_raw(copy).await?;
        Ok(())
    }

    /// Gives a copy a history of its own: put in place by hand, it must not pass for the one that went on without it.
    pub(super) async fn begin_history(&self) -> Result<(), StorageError> {
        let txn = self.connection.begin().await?;
        crate::feed::bump_epoch(&txn).await?;
        Ok(txn.commit().await?)
    }

    /// Reads every page and every reference between rows.
    pub(super) async fn check_integrity(&self) -> Result<(), StorageError> {
        let verdict = self.ask("PRAGMA integrity_check").await?;
        let verdict: Vec<String> = verdict
            .iter()
            .map(|row| row.try_get_by_index(0))
            .collect::<Result<_, _>>()?;
        if verdict != ["ok"] {
            let first = verdict.first().map_or("nothing", String::as_str);
            return Err(said(&self.file, format!("is damaged: {first}")));
        }
        if !self.ask("PRAGMA foreign_key_check").await?.is_empty() {
            return Err(said(
                &self.file,
                "has rows that refer to rows that are not there",
            ));
        }
        Ok(())
    }

    async fn ask(&self, sql: &str) -> Result<Vec<sea_orm::QueryResult>, StorageError> {
        let statement = Statement::from_string(DbBackend::Sqlite, sql);
        Ok(self.connection.query_all_raw(statement).await?)
    }
}

/// Whether another process has the database open. One that cannot be read is nobody's.
pub(super) async fn in_use(file: &Path) -> Result<bool, StorageError> {
    let Ok(database) = Alone::open_with(file, Duration::ZERO).await else {
        return Ok(false);
    };
    // Only who is alone with a database may end its write-ahead log.
    let ended = database.ask("PRAGMA journal_mode = DELETE").await;
    let closed = database.close().await;
    match ended {
        Ok(_) => closed.map(|()| false),
        Err(error) => Ok(matches!(error, StorageError::Contention { .. })),
    }
}
