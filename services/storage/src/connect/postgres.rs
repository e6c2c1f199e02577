//! PostgreSQL: isolation and timeouts are settings of the session, sent with the connection's first message,
//! so that a transaction needs no statement of its own for them.

use sea_orm::sqlx::postgres::{PgConnectOptions, PgConnection};
use sea_orm::sqlx::{self, AssertSqlSafe};
use sea_orm::{ConnectOptions, Database as SeaOrm, DatabaseConnection};
use std::sync::Arc;
use std::time::Duration;

use super::{CONTROLS, common, lane};
use crate::lane::{Lane, Session};
use crate::{DatabaseOptions, StorageError};

/// Prepared statements kept per connection. Chunks of bulk statements come in many sizes.
const STATEMENT_CACHE: usize = 512;

/// How often a server at work looks whether its client is still there, where it can (from version 14 on): a process
/// that was killed cannot cut off what it had asked for.
const CLIENT_CHECK: &str = "SELECT set_config('client_connection_check_interval', '50ms', false)";
const CLIENT_CHECK_SINCE: u32 = 140_000;

/// The connection for control.
pub(crate) async fn connect(
    url: &str,
    options: &DatabaseOptions,
) -> Result<DatabaseConnection, StorageError> {
    let mut connect = settings(url, options);
    connect.max_connections(CONTROLS);
    Ok(SeaOrm::connect(connect).await?)
}

/// The lanes, not connected yet.
pub(crate) async fn lanes(url: &str, options: &DatabaseOptions) -> Result<Vec<Lane>, StorageError> {
    let mut lanes = Vec::new();
    for _ in 0..options.connections.max(1) {
        let session = Arc::new(Session::default());
        let mut connect = settings(url, options);
        lane(&mut connect);
        let opened = Arc::clone(&session);
        connect.map_sqlx_postgres_pool_opts(move |pool| {
            let opened = Arc::clone(&opened);
            pool.after_connect(move |connection, _| {
                let opened = Arc::clone(&opened);
                Box::pin(async move { introduce(connection, &opened).await })
            })
        });
        lanes.push(Lane::new(SeaOrm::connect(connect).await?, session));
    }
    Ok(lanes)
}

fn settings(url: &str, options: &DatabaseOptions) -> ConnectOptions {
    let lock = millis(options.lock_timeout);
    let statement = options.statement_timeout.map_or(0, millis);
    let mut connect = common(url, options);
    connect
        .test_before_acquire_if_idle_for(options.ping_after_idle)
        .map_sqlx_postgres_opts(move |postgres: PgConnectOptions| {
            postgres
                .application_name("cleave")
                .statement_cache_capacity(STATEMENT_CACHE)
                .options([
                    ("default_transaction_isolation", "read committed".to_owned()),
                    ("lock_timeout", lock.to_string()),
                    ("statement_timeout", statement.to_string()),
                    // A session whose process died in mid-transaction must not keep its locks for ever.
                    ("idle_in_transaction_session_timeout", "60000".to_owned()),
                ])
        });
    connect
}

/// Asks the server what it calls this connection.
async fn introduce(connection: &mut PgConnection, session: &Session) -> Result<(), sqlx::Error> {
    let checks = connection
        .server_version_num()
        .is_some_and(|version| version >= CLIENT_CHECK_SINCE);
    let check = if checks { CLIENT_CHECK } else { "SELECT ''" };
    let (backend, _): (i32, String) =
        sqlx::query_as(AssertSqlSafe(format!("SELECT pg_backend_pid(), ({check})")))
            .persistent(false)
            .fetch_one(connection)
            .await?;
    session.opened(u64::from(backend.unsigned_abs()));
    Ok(())
}

fn millis(span: Duration) -> u128 {
    span.as_millis()
}
