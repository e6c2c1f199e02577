//! The one place where a database's errors are told apart. Above it nobody looks at a `DbErr`.

use sea_orm::sqlx::{self, mysql::MySqlDatabaseError};
use sea_orm::{DbErr, RuntimeErr, SqlErr};
use thiserror::Error;

/// What went wrong with the database, by what a caller can do about it.
#[derive(Debug, Clone, Error)]
pub enum StorageError {
    /// The database cannot be reached, is full or has no connection to give: try later.
    #[error("the database is not available")]
    Unavailable {
        /// What the driver said.
        #[source]
        source: DbErr,
    },
    /// Another transaction was in the way (deadlock, serialization failure, lock wait): try again at once.
    #[error("the transaction met contention")]
    Contention {
        /// What the driver said.
        #[source]
        source: DbErr,
    },
    /// The server gave up on a statement that took too long.
    #[error("the statement took too long")]
    TimedOut {
        /// What the driver said.
        #[source]
        source: DbErr,
    },
    /// A row with this key exists.
    #[error("a unique key is taken: {constraint}")]
    Unique {
        /// The constraint in the engine's own words; it contains the column or the name of the index.
        constraint: String,
        /// What the driver said.
        #[source]
        source: DbErr,
    },
    /// A row refers to one that is not there, or is itself referred to.
    #[error("a reference between rows is broken")]
    Reference {
        /// What the driver said.
        #[source]
        source: DbErr,
    },
    /// The database, its settings or its address do not fit; an operator has to act.
    #[error("{0}")]
    Unsuitable(String),
    /// What is stored cannot be what was written.
    #[error("stored data cannot be read: {0}")]
    Corrupt(String),
    /// A mistake in our own SQL.
    #[error("the database refused a statement")]
    Internal {
        /// What the driver said.
        #[source]
        source: DbErr,
    },
}

/// An error that may carry a [`StorageError`], so that the transaction helper can see whether to try again.
pub trait Retryable {
    /// The storage error within, if that is what this error is.
    fn storage_error(&self) -> Option<&StorageError>;
}

impl Retryable for StorageError {
    fn storage_error(&self) -> Option<&StorageError> {
        Some(self)
    }
}

impl StorageError {
    /// Whether running the whole transaction again may succeed, provided that it was never committed.
    pub fn is_retryable(&self) -> bool {
        match self {
            Self::Contention { .. } => true,
            Self::Unavailable { source } => connection_lost(source),
            Self::TimedOut { .. }
            | Self::Unique { .. }
            | Self::Reference { .. }
            | Self::Unsuitable(_)
            | Self::Corrupt(_)
            | Self::Internal { .. } => false,
        }
    }

    /// A short name for metrics and log fields.
    pub const fn kind(&self) -> &'static str {
        match self {
            Self::Unavailable { .. } => "unavailable",
            Self::Contention { .. } => "contention",
            Self::TimedOut { .. } => "timed_out",
            Self::Unique { .. } => "unique",
            Self::Reference { .. } => "reference",
            Self::Unsuitable(_) => "unsuitable",
            Self::Corrupt(_) => "corrupt",
            Self::Internal { .. } => "internal",
        }
    }

    /// This error as contention when it is a taken key: for keys that only a concurrent twin of the same
    /// transaction can have taken, which the next try will see.
    #[must_use]
    pub fn unique_is_contention(self) -> Self {
        match self {
            Self::Unique { source, .. } => Self::Contention { source },
            other => other,
        }
    }
}

impl From<DbErr> for StorageError {
    fn from(source: DbErr) -> Self {
        match source.sql_err() {
            Some(SqlErr::UniqueConstraintViolation(constraint)) => {
                return Self::Unique { constraint, source };
            }
            Some(SqlErr::ForeignKeyConstraintViolation(_)) => return Self::Reference { source },
            _ => {}
        }
        match &source {
            DbErr::ConnectionAcquire(_) => Self::Unavailable { source },
            DbErr::Conn(RuntimeErr::SqlxError(error))
            | DbErr::Exec(RuntimeErr::SqlxError(error))
            | DbErr::Query(RuntimeErr::SqlxError(error)) => {
                Kind::of_sqlx(error).with(source.clone())
            }
            DbErr::Conn(_) => Self::Unavailable { source },
            DbErr::Type(_) | DbErr::Json(_) | DbErr::TryIntoErr { .. } => {
                Self::Corrupt(source.to_string())
            }
            _ => Self::Internal { source },
        }
    }
}

impl From<sqlx::Error> for StorageError {
    fn from(error: sqlx::Error) -> Self {
        DbErr::Query(RuntimeErr::SqlxError(error.into())).into()
    }
}

/// The classes that codes map to; `StorageError` without its source.
#[derive(Clone, Copy)]
enum Kind {
    Unavailable,
    Contention,
    TimedOut,
    Reference,
    Unsuitable,
    Corrupt,
    Internal,
}

impl Kind {
    fn of_sqlx(error: &sqlx::Error) -> Self {
        match error {
            sqlx::Error::Database(error) => {
                if let Some(mysql) = error.try_downcast_ref::<MySqlDatabaseError>() {
                    return Self::of_mysql(mysql.number());
                }
                let code = error.code().unwrap_or_default();
                match code.parse::<u32>() {
                    // PostgreSQL's codes have five characters, SQLite's are small numbers.
                    Ok(number) if code.len() < 5 => Self::of_sqlite(number),
                    _ => Self::of_postgres(&code),
                }
            }
            sqlx::Error::Io(_)
            | sqlx::Error::Tls(_)
            | sqlx::Error::Protocol(_)
            | sqlx::Error::PoolTimedOut
            | sqlx::Error::PoolClosed
            | sqlx::Error::WorkerCrashed => Self::Unavailable,
            sqlx::Error::Configuration(_) => Self::Unsuitable,
            sqlx::Error::ColumnDecode { .. } | sqlx::Error::Decode(_) => Self::Corrupt,
            _ => Self::Internal,
        }
    }

    /// By SQLSTATE, <https://www.postgresql.org/docs/15/errcodes-appendix.html>.
    fn of_postgres(code: &str) -> Self {
        match code {
            "40001" | "40P01" | "55P03" => Self::Contention,
            "57014" => Self::TimedOut,
            // A replica that was promoted or demoted under us: the next connection may find the primary.
            "25006" => Self::Unavailable,
            "23001" => Self::Reference,
            "3D000" | "3F000" | "42501" => Self::Unsuitable,
            "XX001" | "XX002" => Self::Corrupt,
            _ if code.starts_with("28") => Self::Unsuitable,
            _ if ["08", "53", "57", "58"]
                .iter()
                .any(|class| code.starts_with(class)) =>
            {
                Self::Unavailable
            }
            _ => Self::Internal,
        }
    }

    /// By error number, the SQLSTATE of MySQL and MariaDB being too coarse.
    const fn of_mysql(number: u16) -> Self {
        match number {
            // Lock wait timeout, deadlock, record has changed since last read, NOWAIT.
            1205 | 1213 | 1020 | 3572 => Self::Contention,
            // Interrupted, max_statement_time (MariaDB), max_execution_time (MySQL).
            1317 | 1969 | 3024 => Self::TimedOut,
            // Too many connections, shutting down, killed, disk or table full, read-only.
            1040 | 1203 | 1053 | 1077 | 1927 | 1021 | 1114 | 1290 | 1836 => Self::Unavailable,
            // Access denied, no such database.
            1044 | 1045 | 1049 | 1698 => Self::Unsuitable,
            1034 | 1194 | 1712 => Self::Corrupt,
            _ => Self::Internal,
        }
    }

    /// By result code; extended codes carry the primary one in their low byte.
    const fn of_sqlite(code: u32) -> Self {
        match code {
            // SQLITE_CONSTRAINT_TRIGGER is what ON DELETE RESTRICT answers.
            1811 => Self::Reference,
            _ => match code & 0xff {
                5 | 6 => Self::Contention,
                9 => Self::TimedOut,
                10 | 13 | 14 => Self::Unavailable,
                11 | 26 => Self::Corrupt,
                8 | 3 | 23 => Self::Unsuitable,
                _ => Self::Internal,
            },
        }
    }

    fn with(self, source: DbErr) -> StorageError {
        match self {
            Self::Unavailable => StorageError::Unavailable { source },
            Self::Contention => StorageError::Contention { source },
            Self::TimedOut => StorageError::TimedOut { source },
            Self::Reference => StorageError::Reference { source },
            Self::Unsuitable => StorageError::Unsuitable(source.to_string()),
            Self::Corrupt => StorageError::Corrupt(source.to_string()),
            Self::Internal => StorageError::Internal { source },
        }
    }
}

/// Whether a connection that had been handed out broke, so that another one may do better.
fn connection_lost(error: &DbErr) -> bool {
    let (DbErr::Conn(RuntimeErr::SqlxError(error))
    | DbErr::Exec(RuntimeErr::SqlxError(error))
    | DbErr::Query(RuntimeErr::SqlxError(error))) = error
    else {
        return false;
    };
    match &**error {
        sqlx::Error::Io(_) | sqlx::Error::Protocol(_) => true,
        // An administrator or a restart ended the session.
        sqlx::Error::Database(error) => {
            matches!(error.code().as_deref(), Some("57P01" | "57P02" | "08S01"))
        }
        _ => false,
    }
}
