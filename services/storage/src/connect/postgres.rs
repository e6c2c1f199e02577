//! PostgreSQL: isolation and timeouts are settings of the session, sent with the connection's first message,
//! so that a transaction needs no statement of its own for them.

use sea_orm::sqlx::postgres::PgConnectOptions;
use sea_orm::{Database as SeaOrm, DatabaseConnection};
use std::time::Duration;

use super::common;
use crate::{DatabaseOptions, StorageError};

/// Prepared statements kept per connection. Chunks of bulk statements come in many sizes.
const STATEMENT_CACHE: usize = 512;

pub(crate) async fn connect(
    url: &str,
    options: &DatabaseOptions,
) -> Result<DatabaseConnection, StorageError> {
    let lock = millis(options.lock_timeout);
    let statement = options.statement_timeout.map_or(0, millis);
    let mut connect = common(url, options);
    connect
        .max_connections(options.connections.max(1))
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
    Ok(SeaOrm::connect(connect).await?)
}

fn millis(span: Duration) -> u128 {
    span.as_millis()
}
