//! An Operations of one test: its own database, a clock that stands, free ports, and a Billing beside it.

use billing_client::fake::FakeBilling;
use cleave_host::command::Program;
use cleave_kernel::{Clock, ManualClock, SystemClock, Timestamp};
use cleave_storage::Engine;
use cleave_storage::testing::TestDatabase;
use operations::{Operations, Running, Settings};
use operations_client::{CallError, OperationsClient, pb};
use std::sync::Arc;
use std::time::Duration;
use tonic::Code;

/// How long a test waits for what tasks are to bring about.
const PATIENCE: Duration = Duration::from_secs(20);

/// A running service.
pub(crate) struct Server {
    pub(crate) client: OperationsClient,
    pub(crate) clock: Arc<ManualClock>,
    pub(crate) billing: FakeBilling,
    pub(crate) running: Running,
    pub(crate) database: TestDatabase,
}

impl Server {
    /// A service over SQLite.
    pub(crate) async fn start() -> Self {
        let database = TestDatabase::on(Engine::Sqlite).await.unwrap();
        let billing = FakeBilling::start().await.unwrap();
        let clock = ManualClock::at(SystemClock.now());
        Self::over(database, billing, clock).await
    }

    /// A service over a database, beside this Billing.
    pub(crate) async fn over(
        database: TestDatabase,
        billing: FakeBilling,
        clock: Arc<ManualClock>,
    ) -> Self {
        let settings = settings(&database, &billing);
        let running = operations::start_with(settings, clock.clone())
            .await
            .unwrap();
        running.ready().await;
        let address = format!("http://{}", running.addr());
        Self {
            client: OperationsClient::at(&address, "cleave").unwrap(),
            clock,
            billing,
            running,
            database,
        }
    }

    /// The same after a restart.
    pub(crate) async fn restart(self) -> Self {
        assert!(self.running.shutdown().await.clean, "the end was not clean");
        Self::over(self.database, self.billing, self.clock).await
    }

    /// Lets time go by, for this service and for Billing.
    pub(crate) fn advance(&self, span: Duration) {
        self.clock.advance(span);
        self.billing.advance(span);
    }

    /// The start of the hour `back` hours before the present one.
    pub(crate) fn hour(&self, back: i64) -> prost_types::Timestamp {
        let hour = self.clock.now().micros().div_euclid(3_600_000_000) - back;
        prost_types::Timestamp {
            seconds: hour * 3600,
            nanos: 0,
        }
    }

    /// Waits until `look` finds something.
    pub(crate) async fn until<T, F, Fut>(&self, what: &str, look: F) -> T
    where
        F: Fn() -> Fut,
        Fut: Future<Output = Option<T>>,
    {
        let found = self.until_some(look).await;
        found.unwrap_or_else(|| panic!("in vain: {what}"))
    }

    /// What `look` finds, unless it takes too long.
    pub(crate) async fn until_some<T, F, Fut>(&self, look: F) -> Option<T>
    where
        F: Fn() -> Fut,
        Fut: Future<Output = Option<T>>,
    {
        let started = tokio::time::Instant::now();
        while started.elapsed() < PATIENCE {
            if let Some(found) = look().await {
                return Some(found);
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        None
    }
}

fn settings(database: &TestDatabase, billing: &FakeBilling) -> Settings {
    Operations::loader()
        .set("host.listen", "127.0.0.1:0")
        .set("host.admin", "127.0.0.1:0")
        .set("database.url", database.url())
        .set("database.migrate", "true")
        .set("delivery.time_zone", "UTC")
        .set("peers.billing", &billing.address())
        .set("peers.outbox_period", "20ms")
        .set("leases.period", "20ms")
        .set("watch.heartbeat", "200ms")
        .set("watch.poll", "20ms")
        .load()
        .unwrap()
}

/// A new request id.
pub(crate) fn request() -> String {
    cleave_kernel::RequestId::generate().to_string()
}

/// An instant on the wire.
pub(crate) fn wire(at: Timestamp) -> Option<prost_types::Timestamp> {
    Some(prost_types::Timestamp {
        seconds: at.micros().div_euclid(1_000_000),
        nanos: i32::try_from(at.micros().rem_euclid(1_000_000) * 1000).unwrap(),
    })
}

/// Fails unless the call was refused with this code and reason.
pub(crate) fn refused<T: std::fmt::Debug>(
    answer: Result<T, CallError>,
    code: Code,
    reason: pb::ErrorReason,
) -> CallError {
    let error = answer.expect_err("the call is refused");
    assert_eq!(error.code, code, "{error:?}");
    let name = reason.as_str_name().trim_start_matches("ERROR_REASON_");
    assert_eq!(error.reason.as_deref(), Some(name), "{error:?}");
    error
}
