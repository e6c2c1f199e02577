//! An Operations service of one test: its own database, free ports, and a fake Billing beside it if it needs one.

use std::sync::Arc;
use std::time::Duration;

use billing_client::fake::FakeBilling;
use cleave_host::command::Program;
use cleave_kernel::{Clock, ManualClock, SystemClock};
use cleave_storage::Engine;
use cleave_storage::testing::TestDatabase;
use operations::{Operations, Running, Settings};
use operations_client::{CallError, OperationsClient, pb};
use tonic::Code;

/// The longest that anything is waited for.
const PATIENCE: Duration = Duration::from_secs(20);

/// A running service.
pub(crate) struct Server {
    pub(crate) client: OperationsClient,
    pub(crate) clock: Arc<ManualClock>,
    pub(crate) billing: Option<FakeBilling>,
    pub(crate) running: Running,
    pub(crate) database: TestDatabase,
}

impl Server {
    /// A service over SQLite that has no Billing.
    pub(crate) async fn alone() -> Self {
        let database = TestDatabase::on(Engine::Sqlite).await.unwrap();
        Self::over(database, None).await
    }

    /// A service over SQLite beside a fake Billing.
    pub(crate) async fn start() -> Self {
        let database = TestDatabase::on(Engine::Sqlite).await.unwrap();
        let billing = FakeBilling::start().await.unwrap();
        Self::over(database, Some(billing)).await
    }

    /// A service over this database, beside this Billing. Its clock stands until it is moved.
    pub(crate) async fn over(database: TestDatabase, billing: Option<FakeBilling>) -> Self {
        let clock = ManualClock::at(SystemClock.now());
        let address = billing.as_ref().map(FakeBilling::address);
        let settings = settings(database.url(), &address.unwrap_or_default());
        let running = operations::start_with(settings, clock.clone())
            .await
            .unwrap();
        running.ready().await;
        Self {
            client: client(&running),
            clock,
            billing,
            running,
            database,
        }
    }

    /// The Billing beside it.
    pub(crate) fn billing(&self) -> &FakeBilling {
        self.billing.as_ref().unwrap()
    }
}

/// The settings of a service over a database, beside the Billing at an address.
pub(crate) fn settings(url: &str, billing: &str) -> Settings {
    Operations::loader()
        .set("host.listen", "127.0.0.1:0")
        .set("host.admin", "127.0.0.1:0")
        .set("host.workers", "2")
        .set("database.url", url)
        .set("database.migrate", "true")
        .set("watch.heartbeat", "200ms")
        .set("watch.poll", "20ms")
        .set("peers.billing", billing)
        .set("peers.outbox_period", "50ms")
        .set("leases.period", "50ms")
        .load()
        .unwrap()
}

/// A client of a running service.
pub(crate) fn client(running: &Running) -> OperationsClient {
    OperationsClient::at(&format!("http://{}", running.addr()), "cleave").unwrap()
}

/// A name for a new request.
pub(crate) fn request_id() -> String {
    uuid::Uuid::now_v7().to_string()
}

/// The refusal that a call must have met: its code and reason, in the domain of this service.
#[track_caller]
pub(crate) fn refused<T: std::fmt::Debug>(
    answer: Result<T, CallError>,
    code: Code,
    reason: &str,
) -> CallError {
    let error = answer.unwrap_err();
    assert_eq!(error.code, code, "{error:?}");
    assert_eq!(error.reason.as_deref(), Some(reason), "{error:?}");
    assert_eq!(error.domain.as_deref(), Some("operations.cleave"));
    error
}

/// The fields that a call was refused for.
#[track_caller]
pub(crate) fn faulty<T: std::fmt::Debug>(answer: Result<T, CallError>) -> Vec<String> {
    let error = refused(answer, Code::InvalidArgument, "INVALID_FIELD");
    error
        .violations
        .iter()
        .map(|violation| violation.field.clone())
        .collect()
}

/// Asks again and again until the answer is there.
pub(crate) async fn until<T>(what: &str, mut ask: impl AsyncFnMut() -> Option<T>) -> T {
    let asking = async {
        loop {
            if let Some(answer) = ask().await {
                return answer;
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    };
    match tokio::time::timeout(PATIENCE, asking).await {
        Ok(answer) => answer,
        Err(_) => panic!("{what} did not come about"),
    }
}

/// A mask of these paths.
pub(crate) fn mask(paths: &[&str]) -> Option<prost_types::FieldMask> {
    Some(prost_types::FieldMask {
        paths: paths.iter().map(|path| (*path).to_owned()).collect(),
    })
}

/// The advertiser as it is now.
pub(crate) async fn advertiser_now(server: &Server, id: &str) -> pb::Advertiser {
    let request = pb::GetAdvertiserRequest { id: id.to_owned() };
    let answer = server.client.get_advertiser(request).await.unwrap();
    answer.advertiser.unwrap()
}
