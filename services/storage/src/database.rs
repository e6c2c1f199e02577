//! A connected database: one pool on PostgreSQL and MySQL; on SQLite one writer and several readers, because
//! it has one write lock and a writer that queues for it in our pool waits fairly and without polling.

use sea_orm::{ConnectionTrait, DatabaseConnection};
use std::fmt;
use std::sync::Arc;

use crate::connect::{mysql, postgres, sqlite};
use crate::{DatabaseOptions, Engine, StorageError};

/// A handle on the database; clones share the pools.
#[derive(Clone)]
pub struct Database {
    inner: Arc<Inner>,
}

struct Inner {
    engine: Engine,
    url: String,
    writer: DatabaseConnection,
    reader: DatabaseConnection,
}

impl Database {
    /// Connects to `url` and refuses a database on which the stores would not keep their word.
    pub async fn connect(url: &str, options: &DatabaseOptions) -> Result<Self, StorageError> {
        let engine = Engine::of_url(url)?;
        let (writer, reader) = match engine {
            Engine::Sqlite => sqlite::connect(url, options).await?,
            Engine::Postgres => {
                let pool = postgres::connect(url, options).await?;
                (pool.clone(), pool)
            }
            Engine::MySql => {
                let pool = mysql::connect(url, options).await?;
                (pool.clone(), pool)
            }
        };
        Ok(Self {
            inner: Arc::new(Inner {
                engine,
                url: url.to_owned(),
                writer,
                reader,
            }),
        })
    }

    /// The kind of database.
    pub fn engine(&self) -> Engine {
        self.inner.engine
    }

    /// The connection for reads outside a transaction. On SQLite it refuses writes.
    pub fn reader(&self) -> &DatabaseConnection {
        &self.inner.reader
    }

    /// Asks the database for a sign of life.
    pub async fn ping(&self) -> Result<(), StorageError> {
        self.reader().execute_unprepared("SELECT 1").await?;
        Ok(())
    }

    /// Waits for connections in use to come back and closes them all. Later calls answer `Unavailable`.
    pub async fn close(&self) -> Result<(), StorageError> {
        self.inner.reader.close_by_ref().await?;
        self.inner.writer.close_by_ref().await?;
        Ok(())
    }

    pub(crate) fn writer(&self) -> &DatabaseConnection {
        &self.inner.writer
    }

    pub(crate) fn url(&self) -> &str {
        &self.inner.url
    }
}

impl fmt::Debug for Database {
    // Without the URL: it may carry a password.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Database")
            .field("engine", &self.inner.engine)
            .finish_non_exhaustive()
    }
}
