//! How connections are made and kept, and when a replica is left alone.

use std::time::Duration;

/// How connections are made and kept, and when a replica is left alone.
#[derive(Debug, Clone)]
pub struct Tuning {
    /// How long a connection may take to be made, up to the peer's first word of HTTP/2.
    pub connect_timeout: Duration,
    /// The wait after the first failure to connect; it grows by six tenths each time.
    pub first_backoff: Duration,
    /// The longest wait between two attempts to connect while nobody needs the replica.
    pub max_backoff: Duration,
    /// The longest such wait while calls fail because no replica is connected.
    pub demanded_backoff: Duration,
    /// A ping goes out this often, also while nothing else does, so that a silent partition is noticed. A replica that
    /// ends a connection because of that is pinged half as often from then on, and only during calls.
    pub keepalive_interval: Duration,
    /// A connection whose ping is not answered within this time is given up.
    pub keepalive_timeout: Duration,
    /// The most connections to one replica; another is made when the streams of all are taken.
    pub max_connections: usize,
    /// A lost connection is made again only when a call was made this recently.
    pub idle_after: Duration,
    /// Whether the health service of each replica is watched.
    pub watch_health: bool,
    /// Whether each replica is asked for the contract that it serves, so that methods in which it would not be
    /// understood are not called there.
    pub compare_contracts: bool,
    /// How long a new connection waits to be told the contract; without it, everything is called.
    pub contract_timeout: Duration,
    /// A lookup that takes longer has failed.
    pub resolve_timeout: Duration,
    /// A name is looked up again no sooner than this, however short its time to live.
    pub resolve_floor: Duration,
    /// A name is looked up again no later than this, however long its time to live; what is below the floor counts as
    /// the floor.
    pub resolve_ceiling: Duration,
    /// How fast a slow answer of a replica is forgotten; shorter means that it gets another chance sooner.
    pub decay: Duration,
    /// How long a replica is left alone when its failures first add up; doubled each time.
    pub first_ejection: Duration,
    /// The longest time a replica is left alone before it gets another chance.
    pub max_ejection: Duration,
}

impl Default for Tuning {
    fn default() -> Self {
        Self {
            connect_timeout: Duration::from_secs(2),
            first_backoff: Duration::from_secs(1),
            max_backoff: Duration::from_secs(120),
            demanded_backoff: Duration::from_millis(250),
            keepalive_interval: Duration::from_secs(2),
            keepalive_timeout: Duration::from_secs(2),
            max_connections: 10,
            idle_after: Duration::from_secs(300),
            watch_health: true,
            compare_contracts: true,
            contract_timeout: Duration::from_secs(1),
            // Time for the second and the third name server, where the first is silent.
            resolve_timeout: Duration::from_secs(20),
            resolve_floor: Duration::from_secs(1),
            resolve_ceiling: Duration::from_secs(30),
            decay: Duration::from_secs(10),
            first_ejection: Duration::from_secs(1),
            max_ejection: Duration::from_secs(60),
        }
    }
}
