//! A connected database: the same lanes for reading and writing on PostgreSQL and MySQL; on SQLite one writer and
//! several readers, because it has one write lock and a writer that queues for it here waits fairly and without
//! polling.

use sea_orm::{ConnectionTrait, DatabaseConnection};
use std::fmt;
use std::sync::Arc;

use crate::connect::{mysql, postgres, sqlite};
use crate::lane::{Cutter, Lanes};
use crate::{DatabaseOptions, Engine, StorageError};

/// A handle on the database; clones share the pools.
#[derive(Clone)]
pub struct Database {
    inner: Arc<Inner>,
}

struct Inner {
    engine: Engine,
    url: String,
    writers: Arc<Lanes>,
    readers: Arc<Lanes>,
    control: DatabaseConnection,
}

impl Database {
    /// Connects to `url` and refuses a database on which the stores would not keep their word. What is cut off
    /// later is cut off by the current runtime.
    pub async fn connect(url: &str, options: &DatabaseOptions) -> Result<Self, StorageError> {
        let engine = Engine::of_url(url)?;
        let patience = options.acquire_timeout;
        let (writers, readers, control) = match engine {
            Engine::Sqlite => {
                let connected = sqlite::connect(url, options).await?;
                (
                    vec![connected.writer],
                    Some(connected.readers),
                    connected.control,
                )
            }
            Engine::Postgres => {
                let control = postgres::connect(url, options).await?;
                (postgres::lanes(url, options).await?, None, control)
            }
            Engine::MySql => {
                let control = mysql::connect(url, options).await?;
                (mysql::lanes(url, options).await?, None, control)
            }
        };
        let cutter = Cutter::new(engine, control.clone());
        let writers = Lanes::new(writers, patience, cutter.clone());
        let readers = match readers {
            Some(readers) => Lanes::new(readers, patience, cutter),
            None => Arc::clone(&writers),
        };
        Ok(Self {
            inner: Arc::new(Inner {
                engine,
                url: url.to_owned(),
                writers,
                readers,
                control,
            }),
        })
    }

    /// The kind of database.
    pub fn engine(&self) -> Engine {
        self.inner.engine
    }

    /// A connection for what belongs to no call: probes, polls, an operator's questions. It is one of few, and
    /// nothing ends what runs there when whoever asked has gone; calls use [`Database::read`]. On SQLite it
    /// refuses writes.
    pub fn reader(&self) -> &DatabaseConnection {
        &self.inner.control
    }

    /// Asks the database for a sign of life.
    pub async fn ping(&self) -> Result<(), StorageError> {
        self.reader().execute_unprepared("SELECT 1").await?;
        Ok(())
    }

    /// Waits for connections in use to come back and closes them all. Later calls answer `Unavailable`.
    pub async fn close(&self) -> Result<(), StorageError> {
        self.inner.readers.close().await?;
        self.inner.writers.close().await?;
        self.inner.control.close_by_ref().await?;
        Ok(())
    }

    pub(crate) fn writers(&self) -> &Arc<Lanes> {
        &self.inner.writers
    }

    pub(crate) fn readers(&self) -> &Arc<Lanes> {
        &self.inner.readers
    }

    /// The pools, by what they are for.
    pub(crate) fn pools(&self) -> Vec<(&'static str, &Lanes)> {
        let Inner {
            readers, writers, ..
        } = &*self.inner;
        if Arc::ptr_eq(readers, writers) {
            return vec![("shared", writers)];
        }
        vec![("writer", writers), ("readers", readers)]
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
