//! Cutting off what runs on a lane whose user has gone, and making the lane good again.
//!
//! PostgreSQL and MySQL end a statement when another connection says so. That order may overtake a statement
//! that is still on its way, so it is repeated until the connection is quiet. It may also come too late and hit
//! whatever runs by then, so the lane is given back only when the connection has answered once more since. An order
//! that the server does not answer may still come some day, so the lane gets another connection.

use std::sync::Arc;
use std::time::Duration;

use sea_orm::sqlx::pool::PoolConnection;
use sea_orm::sqlx::{self, Connection as _};
use sea_orm::{ConnectionTrait, DatabaseConnection};
use tokio::runtime::Handle;

use super::reader::{Held, on};
use super::{Lane, Lanes};
use crate::Engine;

/// How long a connection may take to fall quiet before the order is repeated; twice as long each time.
const FIRST_ROUND: Duration = Duration::from_millis(10);
const LONGEST_ROUND: Duration = Duration::from_secs(1);
/// How long the server may take to answer an order, or to give a sign of life: the way to it may swallow everything.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(2);
/// How often a connection is asked for a sign of life: the order may be what it answers first.
const PINGS: u32 = 3;

/// Cuts off lanes, on the runtime on which the database was opened.
#[derive(Clone)]
pub(crate) struct Cutter {
    engine: Engine,
    /// Where orders to end other connections' statements are given.
    control: DatabaseConnection,
    runtime: Handle,
}

impl Cutter {
    /// Cuts lanes on the current runtime, by orders that go over `control`.
    pub(crate) fn new(engine: Engine, control: DatabaseConnection) -> Self {
        Self {
            engine,
            control,
            runtime: Handle::current(),
        }
    }

    /// Ends what runs on the lane and gives it back.
    pub(super) fn cut(&self, lanes: Arc<Lanes>, index: usize) {
        metrics::counter!("storage_cut_total").increment(1);
        let cutter = self.clone();
        self.runtime.spawn(async move {
            cutter.silence(&lanes.lanes[index]).await;
            lanes.give_back(index);
        });
    }

    /// Returns when nothing runs on the lane. One whose connection is lost is quiet too: its next user opens
    /// another.
    async fn silence(&self, lane: &Lane) {
        let mut round = FIRST_ROUND;
        let mut answered = true;
        loop {
            let order = tokio::time::timeout(ANSWER_TIMEOUT, self.order(lane));
            answered &= order.await.is_ok();
            let quiet = Held::acquire(&lane.connection);
            match tokio::time::timeout(round, quiet).await {
                Ok(held) => {
                    let in_doubt = lane.session.is_in_doubt() || !answered;
                    lane.session.mend();
                    if let Ok(held) = held {
                        on!(held, connection => check(connection, in_doubt).await);
                    }
                    return;
                }
                Err(_) => round = (round * 2).min(LONGEST_ROUND),
            }
        }
    }

    /// Orders the server to end what the lane's connection runs. SQLite's statements look at the session.
    async fn order(&self, lane: &Lane) {
        let Some(backend) = lane.session.backend() else {
            return;
        };
        let order = match self.engine {
            Engine::Sqlite => return,
            Engine::Postgres => format!("SELECT pg_cancel_backend({backend})"),
            Engine::MySql => format!("KILL QUERY {backend}"),
        };
        if let Err(error) = self.control.execute_unprepared(&order).await {
            // The connection may be gone already, and its statement with it.
            tracing::debug!(%error, "could not cut off a statement");
        }
    }
}

/// Keeps the connection if it answers and certainly has no transaction, else closes it.
async fn check<DB: sqlx::Database>(mut connection: PoolConnection<DB>, in_doubt: bool) {
    let mut answers = false;
    for _ in 0..PINGS {
        answers = !in_doubt && answers_in_time(&mut *connection).await;
        if answers {
            break;
        }
    }
    // SQLite ends the whole transaction of a write that it cuts off, which the driver does not expect.
    if !answers || connection.is_in_transaction() {
        let _ = connection.detach().close_hard().await;
    }
}

/// Whether the connection gives a sign of life.
async fn answers_in_time(connection: &mut impl sqlx::Connection) -> bool {
    let ping = tokio::time::timeout(ANSWER_TIMEOUT, connection.ping());
    matches!(ping.await, Ok(Ok(())))
}
