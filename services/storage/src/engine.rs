//! The three kinds of database that a store runs on.

use sea_orm::DbBackend;
use std::fmt;

use crate::StorageError;

/// The kind of database behind a URL.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Engine {
    /// SQLite, embedded: `sqlite:///path/to/file`.
    Sqlite,
    /// PostgreSQL 15 or later: `postgres://user@host/database`.
    Postgres,
    /// MySQL 8 or MariaDB 10.11 and later: `mysql://user@host/database`.
    MySql,
}

impl Engine {
    /// Every engine, in the order in which tests run them.
    pub const ALL: [Self; 3] = [Self::Sqlite, Self::Postgres, Self::MySql];

    /// The engine that `url` names by its scheme.
    pub fn of_url(url: &str) -> Result<Self, StorageError> {
        let scheme = url.split_once(':').map_or("", |(scheme, _)| scheme);
        match scheme {
            "sqlite" => Ok(Self::Sqlite),
            "postgres" | "postgresql" => Ok(Self::Postgres),
            "mysql" | "mariadb" => Ok(Self::MySql),
            _ => Err(StorageError::Unsuitable(format!(
                "the database URL must start with sqlite:, postgres: or mysql:, not {scheme:?}"
            ))),
        }
    }

    /// Their names, for people.
    pub const NAMES: &'static str = "SQLite (embedded), PostgreSQL, MySQL, MariaDB";

    /// How many values one statement may bind.
    pub const fn bind_limit(self) -> usize {
        match self {
            Self::Sqlite => 32_766,
            Self::Postgres | Self::MySql => 65_535,
        }
    }
}

impl From<DbBackend> for Engine {
    fn from(backend: DbBackend) -> Self {
        match backend {
            DbBackend::Postgres => Self::Postgres,
            DbBackend::MySql => Self::MySql,
            // The enum is open: the drivers that this workspace builds are the three above.
            _ => Self::Sqlite,
        }
    }
}

impl fmt::Display for Engine {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Sqlite => "sqlite",
            Self::Postgres => "postgres",
            Self::MySql => "mysql",
        })
    }
}
