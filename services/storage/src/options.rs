//! How a database is connected: pool sizes and bounds in time, each with a default that fits a service of
//! one process beside a database of its own.

use std::time::Duration;

/// Pool sizes and timeouts. `DatabaseOptions::default()` documents itself field by field.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DatabaseOptions {
    /// Connections to PostgreSQL and MySQL. Default 16: gathered reads and writes need few, and each one
    /// costs the server memory.
    pub connections: u32,
    /// Reading connections to SQLite, beside its single writer. Default 4: each one is a thread.
    pub sqlite_readers: u32,
    /// How long a caller waits for a free connection, or for the database to be reached, before it is told
    /// UNAVAILABLE. Default 5 s.
    pub acquire_timeout: Duration,
    /// How long a statement waits for a lock before it counts as contention and the transaction is tried
    /// again. Default 5 s.
    pub lock_timeout: Duration,
    /// How long the server works on one statement before it gives up. Default 30 s. PostgreSQL and MariaDB
    /// apply it to every statement, MySQL to reads only, SQLite not at all.
    pub statement_timeout: Option<Duration>,
    /// How long a connection may lie idle before it is pinged when it is handed out again. Default 2 s: busy
    /// connections pay nothing, and those that outlived a database's restart are found out.
    pub ping_after_idle: Duration,
}

impl Default for DatabaseOptions {
    fn default() -> Self {
        Self {
            connections: 16,
            sqlite_readers: 4,
            acquire_timeout: Duration::from_secs(5),
            lock_timeout: Duration::from_secs(5),
            statement_timeout: Some(Duration::from_secs(30)),
            ping_after_idle: Duration::from_secs(2),
        }
    }
}
