//! How each engine is connected and which settings a session gets.

pub(crate) mod mysql;
pub(crate) mod postgres;
pub(crate) mod sqlite;

use sea_orm::ConnectOptions;

use crate::DatabaseOptions;

/// Connections to a server beside the lanes: for probes and polls, and for orders to end what runs on a lane.
const CONTROLS: u32 = 2;

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

/// What makes a pool the connection of a lane.
fn lane(connect: &mut ConnectOptions) {
    connect.max_connections(1).connect_lazy(true);
}
