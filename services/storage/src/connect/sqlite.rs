//! SQLite: write-ahead log with every commit flushed (`synchronous = FULL`, so that a commit that was
//! answered survives a power cut), foreign keys on, one writer, readers that cannot write.

use sea_orm::sqlx::sqlite::{SqliteConnectOptions, SqliteJournalMode, SqliteSynchronous};
use sea_orm::{ConnectOptions, Database as SeaOrm, DatabaseConnection};
use std::path::{Path, PathBuf};
use std::str::FromStr;
use std::sync::Arc;

use super::{common, lane};
use crate::lane::{Lane, Session};
use crate::{DatabaseOptions, StorageError};

/// Rows that a reader's thread may run ahead of the task that takes them: fewer hand-overs between the two.
const ROW_BUFFER: usize = 1024;

/// Steps of SQLite's machine between two looks at whether the statement was cut off: well under a millisecond.
const STEPS_PER_LOOK: i32 = 5_000;

/// The lane for writing, the lanes for reading, and a reading connection for control.
pub(crate) struct Connected {
    pub(crate) writer: Lane,
    pub(crate) readers: Vec<Lane>,
    pub(crate) control: DatabaseConnection,
}

pub(crate) async fn connect(
    url: &str,
    options: &DatabaseOptions,
) -> Result<Connected, StorageError> {
    if url.contains(":memory:") || url.contains("mode=memory") {
        return Err(StorageError::Unsuitable(
            "an SQLite database must be a file: one in memory cannot be shared by a writer and readers"
                .to_owned(),
        ));
    }
    // The writer comes first: it creates the file and turns the write-ahead log on.
    let writer = open_lane(writing(url, options)).await?;
    let mut readers = Vec::new();
    for _ in 0..options.sqlite_readers.max(1) {
        readers.push(open_lane(reading(url, options)).await?);
    }
    let mut control = reading(url, options);
    control.max_connections(1);
    Ok(Connected {
        writer,
        readers,
        control: SeaOrm::connect(control).await?,
    })
}

/// The file that an address names.
pub(crate) fn file_of(url: &str) -> Result<PathBuf, StorageError> {
    let options = SqliteConnectOptions::from_str(url)?;
    Ok(options.get_filename().to_owned())
}

/// The address of a file.
pub(crate) fn address_of(file: &Path) -> Result<String, StorageError> {
    let name = file.to_str().ok_or_else(|| {
        StorageError::Unsuitable(format!("{} has a name that is no text", file.display()))
    })?;
    // What means something in an address is written as it is not meant there.
    let mut address = "sqlite://".to_owned();
    for character in name.chars() {
        match character {
            '%' => address.push_str("%25"),
            '?' => address.push_str("%3F"),
            '#' => address.push_str("%23"),
            other => address.push(other),
        }
    }
    Ok(address)
}

fn writing(url: &str, options: &DatabaseOptions) -> ConnectOptions {
    let busy = options.lock_timeout;
    let mut connect = common(url, options);
    connect
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
    connect
}

fn reading(url: &str, options: &DatabaseOptions) -> ConnectOptions {
    let busy = options.lock_timeout;
    let mut connect = common(url, options);
    connect
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
    connect
}

/// A lane whose statements end when its session is cut.
async fn open_lane(mut connect: ConnectOptions) -> Result<Lane, StorageError> {
    let session = Arc::new(Session::default());
    let looked = Arc::clone(&session);
    lane(&mut connect);
    connect.map_sqlx_sqlite_pool_opts(move |pool| {
        let looked = Arc::clone(&looked);
        pool.after_connect(move |connection, _| {
            let looked = Arc::clone(&looked);
            Box::pin(async move {
                let mut handle = connection.lock_handle().await?;
                handle.set_progress_handler(STEPS_PER_LOOK, move || !looked.is_cut());
                Ok(())
            })
        })
    });
    Ok(Lane::new(SeaOrm::connect(connect).await?, session))
}
