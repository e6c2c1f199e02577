//! A billing service of one test: its own database, its own clock, free ports.

use billing::{Billing, Running, Settings};
use billing_client::types::{AccountMode, Money, PartyKind};
use billing_client::{BillingClient, CallError, pb};
use cleave_host::command::Program;
use cleave_kernel::{AdvertiserId, Clock, LineItemId, ManualClock, PublisherId, SystemClock};
use cleave_storage::Engine;
use cleave_storage::testing::TestDatabase;
use std::sync::Arc;
use std::time::Duration;
use tonic::Code;

/// A running service.
pub(crate) struct Server {
    pub(crate) client: BillingClient,
    pub(crate) clock: Arc<ManualClock>,
    pub(crate) database: TestDatabase,
    pub(crate) running: Running,
}

impl Server {
    /// A service over SQLite, with a clock that stands.
    pub(crate) async fn start() -> Self {
        let database = TestDatabase::on(Engine::Sqlite).await.unwrap();
        Self::over(database).await
    }

    /// A service over a database, with a clock that stands.
    pub(crate) async fn over(database: TestDatabase) -> Self {
        Self::beside(database, "").await
    }

    /// The same, taking in the delivery of the Operations at an address.
    pub(crate) async fn beside(database: TestDatabase, operations: &str) -> Self {
        let clock = ManualClock::at(SystemClock.now());
        let settings = settings_with(database.url(), operations);
        let running = billing::start_with(settings, clock.clone()).await.unwrap();
        running.ready().await;
        Self {
            client: client(&running),
            clock,
            database,
            running,
        }
    }

    /// An advertiser's prepaid account with so much money.
    pub(crate) async fn advertiser(&self, micros: i64) -> pb::BillingAccount {
        let account = self
            .open(opening(&AdvertiserId::generate().to_string()))
            .await;
        if micros > 0 {
            self.client
                .record_payment(payment(&account.id, micros))
                .await
                .unwrap();
        }
        account
    }

    /// A publisher's account.
    pub(crate) async fn publisher(&self) -> pb::BillingAccount {
        let owner = PublisherId::generate().to_string();
        self.open(pb::OpenAccountRequest {
            party: PartyKind::Publisher.into(),
            mode: AccountMode::Unspecified.into(),
            ..opening(&owner)
        })
        .await
    }

    pub(crate) async fn open(&self, request: pb::OpenAccountRequest) -> pb::BillingAccount {
        let answer = self.client.open_account(request).await.unwrap();
        answer.account.unwrap()
    }

    /// An account as it is now.
    pub(crate) async fn account(&self, id: &str) -> pb::BillingAccount {
        self.read(id).await.0
    }

    /// The standing of an account as it is now.
    pub(crate) async fn standing(&self, id: &str) -> pb::AccountStandingInfo {
        self.read(id).await.1
    }

    async fn read(&self, id: &str) -> (pb::BillingAccount, pb::AccountStandingInfo) {
        let key = Some(pb::get_account_request::Key::AccountId(id.to_owned()));
        let answer = self
            .client
            .get_account(pb::GetAccountRequest { key })
            .await
            .unwrap();
        (answer.account.unwrap(), answer.standing.unwrap())
    }

    /// What `VerifyLedger` finds: nothing, or the test fails. Answers the summary.
    pub(crate) async fn verified(&self) -> pb::VerifySummary {
        use futures::StreamExt;
        use pb::verify_ledger_response::Event;
        let request = pb::VerifyLedgerRequest::default();
        let mut events = self.client.verify_ledger(request).await.unwrap();
        let mut summary = None;
        while let Some(event) = events.next().await {
            match event.unwrap().event.unwrap() {
                Event::Progress(_) => {}
                Event::Finding(finding) => panic!("the ledger does not agree: {finding:?}"),
                Event::Summary(end) => summary = Some(end),
            }
        }
        summary.unwrap()
    }
}

/// The settings of a service over a database, without delivery.
pub(crate) fn settings(url: &str) -> Settings {
    settings_with(url, "")
}

/// The settings of a service over a database that takes in the delivery of `operations`.
pub(crate) fn settings_with(url: &str, operations: &str) -> Settings {
    Billing::loader()
        .set("peers.operations", operations)
        .set("rating.retry_period", "20ms")
        .set("rating.settle_period", "20ms")
        .set("host.listen", "127.0.0.1:0")
        .set("host.admin", "127.0.0.1:0")
        .set("host.workers", "2")
        .set("database.url", url)
        .set("database.migrate", "true")
        .set("ledger.expiry_period", "20ms")
        .set("watch.heartbeat", "200ms")
        .set("watch.poll", "20ms")
        .load()
        .unwrap()
}

/// A client of a running service.
pub(crate) fn client(running: &Running) -> BillingClient {
    BillingClient::at(&format!("http://{}", running.addr()), "cleave").unwrap()
}

pub(crate) fn request_id() -> String {
    uuid::Uuid::now_v7().to_string()
}

pub(crate) fn inr(micros: i64) -> Option<Money> {
    Some(Money {
        currency_code: "INR".to_owned(),
        micros,
    })
}

pub(crate) fn seconds(seconds: i64) -> Option<prost_types::Duration> {
    Some(prost_types::Duration { seconds, nanos: 0 })
}

/// The opening of a prepaid advertiser.
pub(crate) fn opening(ops_ref: &str) -> pb::OpenAccountRequest {
    pb::OpenAccountRequest {
        request_id: request_id(),
        ops_ref: ops_ref.to_owned(),
        party: PartyKind::Advertiser.into(),
        display_name: "Acme Games".to_owned(),
        currency_code: "INR".to_owned(),
        mode: AccountMode::Prepaid.into(),
        credit_limit_micros: 0,
        net_days: 0,
    }
}

pub(crate) fn payment(account_id: &str, micros: i64) -> pb::RecordPaymentRequest {
    pb::RecordPaymentRequest {
        request_id: request_id(),
        account_id: account_id.to_owned(),
        amount: inr(micros),
        external_ref: format!("bank-{}", request_id()),
        method: "bank_transfer".to_owned(),
        receive_time: None,
    }
}

/// An order for a minute of serving and another of settling.
pub(crate) fn order(account: &pb::BillingAccount, micros: i64) -> pb::ReserveBudgetRequest {
    pb::ReserveBudgetRequest {
        request_id: request_id(),
        advertiser_id: account.ops_ref.clone(),
        line_item_id: LineItemId::generate().to_string(),
        terms_version: 1,
        amount: inr(micros),
        min_amount: None,
        serve_for: seconds(60),
        settle_for: seconds(120),
    }
}

/// Fails unless the call was refused with this code and reason.
pub(crate) fn refused<T: std::fmt::Debug>(
    answer: Result<T, CallError>,
    code: Code,
    reason: &str,
) -> CallError {
    let error = answer.unwrap_err();
    assert_eq!(error.code, code, "{error:?}");
    assert_eq!(error.reason.as_deref(), Some(reason), "{error:?}");
    assert_eq!(error.domain.as_deref(), Some("billing.cleave"), "{error:?}");
    error
}

/// The fields that a refusal names.
pub(crate) fn fields(error: &CallError) -> Vec<&str> {
    error.violations.iter().map(|v| v.field.as_str()).collect()
}

/// Asks until the answer satisfies, or a generous time has passed.
pub(crate) async fn eventually<T, F: Future<Output = T>>(
    what: &str,
    ask: impl Fn() -> F,
    satisfied: impl Fn(&T) -> bool,
) -> T {
    let asking = async {
        loop {
            let answer = ask().await;
            if satisfied(&answer) {
                return answer;
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    };
    match tokio::time::timeout(Duration::from_secs(20), asking).await {
        Ok(answer) => answer,
        Err(_) => panic!("waited in vain until {what}"),
    }
}
