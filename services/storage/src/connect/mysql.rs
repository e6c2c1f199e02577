//! MySQL and MariaDB: strict mode, READ COMMITTED and timeouts are set once per session; a database whose
//! text would compare loosely or lose characters is refused.

use sea_orm::sqlx::mysql::{MySqlConnectOptions, MySqlConnection};
use sea_orm::sqlx::{self, AssertSqlSafe, Executor};
use sea_orm::{
    ConnectOptions, ConnectionTrait, Database as SeaOrm, DatabaseConnection, DbBackend, Statement,
};
use std::sync::Arc;

use super::{CONTROLS, common, lane};
use crate::lane::{Lane, Session};
use crate::{DatabaseOptions, StorageError};

/// Prepared statements kept per connection. The server bounds those of all sessions together (16,382 unless
/// set otherwise).
const STATEMENT_CACHE: usize = 256;
/// How long a statement waits at least for one that changes the schema, or the reverse.
const SCHEMA_LOCK_SECONDS: u64 = 60;
/// What the version of every MariaDB contains, and of no MySQL.
const MARIADB: &str = "MariaDB";

/// The connection for control.
pub(crate) async fn connect(
    url: &str,
    options: &DatabaseOptions,
) -> Result<DatabaseConnection, StorageError> {
    let mut connect = settings(url, options, Arc::default());
    connect.max_connections(CONTROLS);
    let control = SeaOrm::connect(connect).await?;
    check_collation(&control).await?;
    Ok(control)
}

/// The lanes, not connected yet.
pub(crate) async fn lanes(url: &str, options: &DatabaseOptions) -> Result<Vec<Lane>, StorageError> {
    let mut lanes = Vec::new();
    for _ in 0..options.connections.max(1) {
        let session = Arc::new(Session::default());
        let mut connect = settings(url, options, Arc::clone(&session));
        lane(&mut connect);
        lanes.push(Lane::new(SeaOrm::connect(connect).await?, session));
    }
    Ok(lanes)
}

/// `session` is told which connection is opened.
fn settings(url: &str, options: &DatabaseOptions, session: Arc<Session>) -> ConnectOptions {
    // The mapper knows MariaDB by the other name only.
    let url = url.replacen("mariadb:", "mysql:", 1);
    let mut connect = common(&url, options);
    let told = SessionSettings::from(options);
    connect
        .test_before_acquire_if_idle_for(options.ping_after_idle)
        .map_sqlx_mysql_opts(|mysql: MySqlConnectOptions| {
            mysql
                .charset("utf8mb4")
                .statement_cache_capacity(STATEMENT_CACHE)
        })
        .map_sqlx_mysql_pool_opts(move |pool| {
            let (told, session) = (told.clone(), Arc::clone(&session));
            pool.after_connect(move |connection, _| {
                let (told, session) = (told.clone(), Arc::clone(&session));
                Box::pin(async move {
                    session.opened(told.apply(connection).await?);
                    Ok(())
                })
            })
        });
    connect
}

/// What every session is told before it serves.
#[derive(Clone)]
struct SessionSettings {
    lock_seconds: u64,
    statement_millis: u128,
}

impl From<&DatabaseOptions> for SessionSettings {
    fn from(options: &DatabaseOptions) -> Self {
        Self {
            // InnoDB counts whole seconds and takes 0 for "do not wait at all".
            lock_seconds: options.lock_timeout.as_secs().max(1),
            statement_millis: options.statement_timeout.map_or(0, |span| span.as_millis()),
        }
    }
}

impl SessionSettings {
    /// Answers what the server calls the connection.
    async fn apply(&self, connection: &mut MySqlConnection) -> Result<u64, sqlx::Error> {
        connection
            .execute("SET SESSION TRANSACTION ISOLATION LEVEL READ COMMITTED")
            .await?;
        let common = format!(
            "SET SESSION innodb_lock_wait_timeout = {}, SESSION lock_wait_timeout = {}, \
             SESSION sql_mode = CONCAT(@@sql_mode, ',STRICT_ALL_TABLES')",
            self.lock_seconds,
            self.lock_seconds.max(SCHEMA_LOCK_SECONDS),
        );
        connection.execute(AssertSqlSafe(common)).await?;
        // The two name the same setting differently and each refuses the other's name.
        let (version, id): (String, u64) = sqlx::query_as("SELECT VERSION(), CONNECTION_ID()")
            .fetch_one(&mut *connection)
            .await?;
        let statement = if version.contains(MARIADB) {
            let (seconds, millis) = (self.statement_millis / 1000, self.statement_millis % 1000);
            format!("SET SESSION max_statement_time = {seconds}.{millis:03}")
        } else {
            format!("SET SESSION max_execution_time = {}", self.statement_millis)
        };
        connection.execute(AssertSqlSafe(statement)).await?;
        Ok(id)
    }
}

/// Ids and references are compared byte by byte on the other engines; a case-insensitive collation would make
/// two of them one here, and a character set other than utf8mb4 would lose text.
async fn check_collation(pool: &DatabaseConnection) -> Result<(), StorageError> {
    let query = Statement::from_string(
        DbBackend::MySql,
        "SELECT CONCAT(@@character_set_database), CONCAT(@@collation_database), CONCAT(DATABASE()), VERSION()",
    );
    let row = pool.query_one_raw(query).await?.ok_or_else(|| {
        StorageError::Unsuitable("the server does not tell its collation".to_owned())
    })?;
    let charset: String = row.try_get_by_index(0)?;
    let collation: String = row.try_get_by_index(1)?;
    let Some(database) = row.try_get_by_index::<Option<String>>(2)? else {
        return Err(StorageError::Unsuitable(
            "the database URL names a server but no database: append /NAME".to_owned(),
        ));
    };
    let best = match row.try_get_by_index::<String>(3)? {
        version if version.contains(MARIADB) => "utf8mb4_nopad_bin",
        _ => "utf8mb4_0900_bin",
    };
    if charset != "utf8mb4" || !collation.ends_with("_bin") {
        return Err(StorageError::Unsuitable(format!(
            "database {database} compares text by {collation}, which must be utf8mb4 with a binary collation; \
             while it is empty, run: ALTER DATABASE `{database}` CHARACTER SET utf8mb4 COLLATE {best}"
        )));
    }
    if collation == "utf8mb4_bin" {
        tracing::warn!(
            database.name = database,
            database.collation = collation,
            "this collation ignores spaces at the end of text; {best} does not"
        );
    }
    Ok(())
}
