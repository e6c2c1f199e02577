//! SQLite: write-ahead log with every commit flushed (`synchronous = FULL`, so that a commit that was
//! answered survives a power cut), foreign keys on, one writer, readers that cannot write.

use sea_orm::sqlx::sqlite::{SqliteConnectOptions, SqliteJournalMode, SqliteSynchronous};
use sea_orm::{Database as SeaOrm, DatabaseConnection};

use super::common;
use crate::{DatabaseOptions, StorageError};

/// Rows that a reader's thread may run ahead of the task that takes them: fewer hand-overs between the two.
const ROW_BUFFER: usize = 1024;

/// The writer and the readers, in this order.
pub(crate) async fn connect(
    url: &str,
    options: &DatabaseOptions,
) -> Result<(DatabaseConnection, DatabaseConnection), StorageError> {
    if url.contains(":memory:") || url.contains("mode=memory") {
        return Err(StorageError::Unsuitable(
            "an SQLite database must be a file: one in memory cannot be shared by a writer and readers"
                .to_owned(),
        ));
    }
    // The writer comes first: it creates the file and turns the write-ahead log on.
    let busy = options.lock_timeout;
    let mut writer = common(url, options);
    writer
        .max_connections(1)
        .min_connections(1)
        .idle_timeout(None)
        .max_lifetime(None)
        .map_sqlx_sqlite_opts(move |sqlite: SqliteConnectOptions| {
            sqlite
                .create_if_missing(true)
                .journal_mode(SqliteJournalMode::Wal)
                .synchronous(SqliteSynchronous::Full)
                .foreign_keys(true)
                .busy_timeout(busy)
                .statement_cache_capacity(512)
                .row_buffer_size(ROW_BUFFER)
        });
    let writer = SeaOrm::connect(writer).await?;

    let mut readers = common(url, options);
    readers
        .max_connections(options.sqlite_readers.max(1))
        .idle_timeout(None)
        .max_lifetime(None)
        .map_sqlx_sqlite_opts(move |sqlite: SqliteConnectOptions| {
            sqlite
                .create_if_missing(false)
                .pragma("query_only", "ON")
                .busy_timeout(busy)
                .statement_cache_capacity(512)
                .row_buffer_size(ROW_BUFFER)
        });
    let readers = SeaOrm::connect(readers).await?;
    Ok((writer, readers))
}
