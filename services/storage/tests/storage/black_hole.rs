//! The way to the server swallows what is sent over the connections that there are, while new ones get through.

use super::{create_counter, give_up, read_counter};
use cleave_storage::testing::TestDatabase;
use cleave_storage::{Database, Engine, StorageError};
use sea_orm::ConnectionTrait as _;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;
use tokio::net::{TcpListener, TcpStream, lookup_host};
use tokio::sync::watch;

/// How long a lane may be missing. The system gives up a connection after a quarter of an hour.
const BOUND: Duration = Duration::from_secs(15);

/// A way to a server.
struct Way {
    addr: SocketAddr,
    /// Connections up to this number are black holes.
    swallowed: watch::Sender<u64>,
    made: Arc<AtomicU64>,
}

impl Way {
    /// A way to where `url` leads, and the URL by which it is taken.
    async fn to(url: &str) -> (Self, String) {
        let (_, rest) = url.split_once("://").expect("a URL");
        let authority = rest.split('/').next().expect("a place");
        let place = authority.rsplit('@').next().expect("a place");
        let server = lookup_host(place).await.expect("an address").next();
        let server = server.expect("an address");
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let way = Self {
            addr: listener.local_addr().expect("an address"),
            swallowed: watch::Sender::new(0),
            made: Arc::default(),
        };
        tokio::spawn(accept(
            listener,
            server,
            way.swallowed.subscribe(),
            Arc::clone(&way.made),
        ));
        let url = url.replacen(place, &way.addr.to_string(), 1);
        (way, url)
    }

    /// Whatever is sent over the connections that there are is lost.
    fn swallow(&self) {
        self.swallowed
            .send_replace(self.made.load(Ordering::SeqCst));
    }
}

async fn accept(
    listener: TcpListener,
    server: SocketAddr,
    swallowed: watch::Receiver<u64>,
    made: Arc<AtomicU64>,
) {
    while let Ok((mut client, _)) = listener.accept().await {
        let number = made.fetch_add(1, Ordering::SeqCst) + 1;
        let mut swallowed = swallowed.clone();
        tokio::spawn(async move {
            let mut server = TcpStream::connect(server).await.expect("connected");
            let lost = async { swallowed.wait_for(|last| number <= *last).await.is_ok() };
            tokio::select! {
                _ = tokio::io::copy_bidirectional(&mut client, &mut server) => return,
                _ = lost => {}
            }
            // Both ends stay open for as long as the test goes on.
            std::future::pending::<()>().await;
        });
    }
}

/// A read that lasts for ten minutes if it is let, and keeps no core busy meanwhile.
async fn sleep(db: &Database) -> Result<(), StorageError> {
    let sql = match db.engine() {
        Engine::Postgres => "SELECT pg_sleep(600)",
        Engine::MySql | Engine::Sqlite => "SELECT SLEEP(600)",
    };
    db.read("sleep", |conn| async move {
        conn.execute_unprepared(sql).await?;
        Ok(())
    })
    .await
}

#[tokio::test]
async fn given_a_black_hole_where_orders_go_when_a_caller_gives_up_then_its_lane_serves_again() {
    for engine in [Engine::Postgres, Engine::MySql] {
        let Some(test) = TestDatabase::with_options(engine, &give_up::single()).await else {
            continue;
        };
        create_counter(test.db()).await;
        // Given a database whose connection for orders is swallowed, and one lane that will connect anew
        let (way, url) = Way::to(test.url()).await;
        let options = give_up::single();
        let db = Database::connect(&url, &options).await.expect("connected");
        way.swallow();

        // When a caller gives up what would never end
        tokio::time::timeout(give_up::PATIENCE, sleep(&db))
            .await
            .expect_err("the caller gives up");

        // Then the lane comes back
        let next = async {
            loop {
                let next = db.read("next", |conn| async move {
                    Ok::<_, StorageError>(read_counter(conn).await)
                });
                // Waiting for a lane has a bound of its own.
                if let Ok(count) = next.await {
                    return count;
                }
            }
        };
        let next = tokio::time::timeout(BOUND, next).await;
        assert_eq!(next.expect("in time"), 0, "{test:?}");
    }
}
