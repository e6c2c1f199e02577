//! A look at a database from outside: whether it is there, migrated, and what time it has.

use std::time::Duration;

use cleave_kernel::{Clock, ClockReading, SystemClock, Timestamp};
use sea_orm::{ConnectionTrait, Statement};

use crate::connect::sqlite::file_of;
use crate::migrate::{self, Migrations};
use crate::{Database, DatabaseOptions, Engine, StorageError};

/// The clock is read so often; the sharpest reading counts.
const READINGS: usize = 3;

/// What was seen of a database.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Inspection {
    /// Its kind.
    pub engine: Engine,
    /// The migrations that it lacks, by name.
    pub pending: Vec<String>,
    /// What its clock says; none where it has no clock of its own.
    pub clock: Option<ClockReading>,
}

/// Looks at the database at `url`, with one connection, and changes nothing: a file that is not there is
/// not made.
pub async fn inspect(
    url: &str,
    migrations: &Migrations,
    timeout: Duration,
) -> Result<Inspection, StorageError> {
    if let Some(path) = missing_file(url) {
        return Err(StorageError::Unsuitable(format!("there is no file {path}")));
    }
    let options = DatabaseOptions {
        connections: 1,
        sqlite_readers: 1,
        acquire_timeout: timeout,
        statement_timeout: Some(timeout),
        ..DatabaseOptions::default()
    };
    let database = Database::connect(url, &options).await?;
    let seen = look(&database, migrations).await;
    database.close().await?;
    seen
}

async fn look(database: &Database, migrations: &Migrations) -> Result<Inspection, StorageError> {
    database.ping().await?;
    Ok(Inspection {
        engine: database.engine(),
        pending: migrate::pending(database, migrations).await?,
        clock: clock(database).await?,
    })
}

async fn clock(database: &Database) -> Result<Option<ClockReading>, StorageError> {
    let sql = match database.engine() {
        Engine::Sqlite => return Ok(None),
        Engine::Postgres => {
            "SELECT CAST(EXTRACT(EPOCH FROM clock_timestamp()) * 1000000 AS BIGINT)"
        }
        Engine::MySql => "SELECT CAST(UNIX_TIMESTAMP(SYSDATE(6)) * 1000000 AS SIGNED)",
    };
    let mut best: Option<ClockReading> = None;
    for _ in 0..READINGS {
        let reader = database.reader();
        let query = Statement::from_string(reader.get_database_backend(), sql);
        let sent = SystemClock.now();
        let row = reader.query_one_raw(query).await?;
        let received = SystemClock.now();
        let Some(row) = row else { continue };
        let reading = ClockReading {
            sent,
            told: Timestamp::from_micros(row.try_get_by_index(0)?),
            received,
        };
        best = Some(best.map_or(reading, |best| best.sharper(reading)));
    }
    Ok(best)
}

/// The file of an embedded database that does not exist.
fn missing_file(url: &str) -> Option<String> {
    if !url.starts_with("sqlite:") || url.contains(":memory:") {
        return None;
    }
    let file = file_of(url).ok()?;
    (!file.exists()).then(|| file.display().to_string())
}
