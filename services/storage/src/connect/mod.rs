//! How each engine is connected and which settings a session gets.

pub(crate) mod mysql;
pub(crate) mod postgres;
pub(crate) mod sqlite;

use sea_orm::ConnectOptions;

use crate::DatabaseOptions;

/// What the engines have in common.
fn common(url: &str, options: &DatabaseOptions) -> ConnectOptions {
    let mut connect = ConnectOptions::new(url);
    connect
        .connect_timeout(options.acquire_timeout)
        .acquire_timeout(options.acquire_timeout)
        .test_before_acquire(false)
        .sqlx_logging(false)
        .record_stmt_in_spans(false);
    connect
}
