//! The connection of a lane for statements outside a transaction. It is taken with the first statement and kept
//! until the lane is given back: statements of one read pay one check of the connection together.

use std::fmt;

use sea_orm::sqlx::pool::PoolConnection;
use sea_orm::sqlx::{self, AssertSqlSafe, Executor, MySql, Postgres, Sqlite};
use sea_orm::{
    ConnAcquireErr, ConnectionTrait, DatabaseConnection, DbBackend, DbErr, ExecResult, QueryResult,
    RuntimeErr, Statement,
};
use sea_orm_migration::async_trait;
use sea_query_sqlx::SqlxValues;
use tokio::sync::Mutex;

/// A connection for reading, as the body of [`Database::read`](crate::Database::read) sees it.
pub struct Reader {
    connection: DatabaseConnection,
    held: Mutex<Option<Held>>,
}

/// A connection, in use.
pub(super) enum Held {
    Sqlite(PoolConnection<Sqlite>),
    Postgres(PoolConnection<Postgres>),
    MySql(PoolConnection<MySql>),
}

/// The same expression on whichever connection is held.
macro_rules! on {
    ($held:expr, $connection:ident => $work:expr) => {
        match $held {
            Held::Sqlite($connection) => $work,
            Held::Postgres($connection) => $work,
            Held::MySql($connection) => $work,
        }
    };
}
pub(super) use on;

impl Held {
    pub(super) async fn acquire(connection: &DatabaseConnection) -> Result<Self, DbErr> {
        let held = match connection.get_database_backend() {
            DbBackend::Postgres => {
                let pool = connection.get_postgres_connection_pool();
                pool.acquire().await.map(Self::Postgres)
            }
            DbBackend::MySql => {
                let pool = connection.get_mysql_connection_pool();
                pool.acquire().await.map(Self::MySql)
            }
            _ => {
                let pool = connection.get_sqlite_connection_pool();
                pool.acquire().await.map(Self::Sqlite)
            }
        };
        held.map_err(|error| match error {
            sqlx::Error::PoolTimedOut => DbErr::ConnectionAcquire(ConnAcquireErr::Timeout),
            sqlx::Error::PoolClosed => DbErr::ConnectionAcquire(ConnAcquireErr::ConnectionClosed),
            error => DbErr::Conn(RuntimeErr::SqlxError(error.into())),
        })
    }
}

impl Reader {
    pub(super) fn new(connection: DatabaseConnection) -> Self {
        Self {
            connection,
            held: Mutex::new(None),
        }
    }

    /// Lets go of the connection. Nothing runs on it for this reader any more.
    pub(super) fn release(&self) {
        // Whoever held the lock was dropped before the lease.
        if let Ok(mut held) = self.held.try_lock() {
            *held = None;
        }
    }
}

/// `work` on the connection of `reader`, which is taken when it holds none.
macro_rules! with {
    ($reader:expr, $connection:ident => $work:expr) => {{
        let mut held = $reader.held.lock().await;
        let held = match &mut *held {
            Some(held) => held,
            none => none.insert(Held::acquire(&$reader.connection).await?),
        };
        on!(held, $connection => $work)
    }};
}

/// A statement with its values, which are moved into it.
macro_rules! query {
    ($statement:expr) => {{
        let values = $statement
            .values
            .unwrap_or_else(|| sea_orm::Values(Vec::new()));
        sqlx::query_with(AssertSqlSafe($statement.sql), SqlxValues(values))
    }};
}

#[async_trait::async_trait]
impl ConnectionTrait for Reader {
    fn get_database_backend(&self) -> DbBackend {
        self.connection.get_database_backend()
    }

    async fn execute_raw(&self, statement: Statement) -> Result<ExecResult, DbErr> {
        with!(self, connection => {
            let done = query!(statement).execute(&mut **connection).await;
            done.map(Into::into).map_err(exec_error)
        })
    }

    async fn execute_unprepared(&self, sql: &str) -> Result<ExecResult, DbErr> {
        with!(self, connection => {
            let done = connection.execute(AssertSqlSafe(sql.to_owned())).await;
            done.map(Into::into).map_err(exec_error)
        })
    }

    async fn query_one_raw(&self, statement: Statement) -> Result<Option<QueryResult>, DbErr> {
        with!(self, connection => {
            let row = query!(statement).fetch_optional(&mut **connection).await;
            row.map(|row| row.map(Into::into)).map_err(query_error)
        })
    }

    async fn query_all_raw(&self, statement: Statement) -> Result<Vec<QueryResult>, DbErr> {
        with!(self, connection => {
            let rows = query!(statement).fetch_all(&mut **connection).await;
            rows.map(|rows| rows.into_iter().map(Into::into).collect()).map_err(query_error)
        })
    }
}

fn exec_error(error: sqlx::Error) -> DbErr {
    DbErr::Exec(RuntimeErr::SqlxError(error.into()))
}

fn query_error(error: sqlx::Error) -> DbErr {
    DbErr::Query(RuntimeErr::SqlxError(error.into()))
}

impl fmt::Debug for Reader {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Reader").finish_non_exhaustive()
    }
}
