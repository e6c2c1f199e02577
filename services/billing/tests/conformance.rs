//! The real Billing passes the cases that its fake passes.

use billing::{Billing, Running, Settings};
use billing_client::conformance::Arrange;
use billing_client::types::{AccountStanding, Money};
use billing_client::{BillingClient, pb};
use cleave_host::command::Program;
use cleave_host::config::Loader;
use cleave_kernel::{Clock, SystemClock};
use futures::StreamExt;
use tempfile::TempDir;
use uuid::Uuid;

/// A Billing of its own for each case, on SQLite.
struct Real {
    running: Running,
    _data: TempDir,
}

impl Real {
    async fn start() -> Self {
        let data = TempDir::new().expect("a directory");
        let url = format!("sqlite://{}", data.path().join("billing.db").display());
        let settings: Settings = Loader::new(Billing::NAME)
            .defaults(Billing::DEFAULTS)
            .set("host.listen", "127.0.0.1:0")
            .set("host.admin", "127.0.0.1:0")
            .set("telemetry.level", "error")
            .set("database.url", &url)
            .set("peers.operations", "")
            .set("ledger.expiry_period", "50ms")
            .set("watch.heartbeat", "100ms")
            .load()
            .expect("sound settings");
        let running = billing::start(settings).await.expect("it starts");
        running.ready().await;
        Self {
            running,
            _data: data,
        }
    }
}

impl Arrange for Real {
    fn client(&self) -> BillingClient {
        let address = format!("http://{}", self.running.addr());
        // People and tools may call everything; the cases stay within what Operations may.
        BillingClient::at(&address, "cleave").expect("the address is a socket's")
    }

    async fn pay(&self, account: &pb::BillingAccount, micros: i64) {
        let request = pb::RecordPaymentRequest {
            request_id: Uuid::now_v7().to_string(),
            account_id: account.id.clone(),
            amount: Some(Money {
                currency_code: account.currency_code.clone(),
                micros,
            }),
            external_ref: Uuid::now_v7().to_string(),
            ..Default::default()
        };
        let paid = self.client().record_payment(request).await;
        paid.expect("the payment is recorded");
    }

    async fn set_standing(&self, account: &pb::BillingAccount, standing: AccountStanding) {
        let key = pb::get_account_request::Key::AccountId(account.id.clone());
        let request = pb::GetAccountRequest { key: Some(key) };
        let read = self.client().get_account(request).await.expect("it exists");
        let in_an_hour = SystemClock.now().micros() / 1_000_000 + 3600;
        let request = pb::OverrideStandingRequest {
            request_id: Uuid::now_v7().to_string(),
            account_id: account.id.clone(),
            etag: read.account.expect("the answer has it").etag,
            standing: standing.into(),
            reason: "conformance".to_owned(),
            actor: "conformance".to_owned(),
            end_time: Some(prost_types::Timestamp {
                seconds: in_an_hour,
                nanos: 0,
            }),
        };
        let set = self.client().override_standing(request).await;
        set.expect("the standing is set");
    }

    async fn foreign_token(&self) -> String {
        let other = Self::start().await;
        let request = pb::WatchAccountsRequest::default();
        let stream = other.client().watch_accounts(request).await;
        let message = stream.expect("a watch opens").next().await;
        let message = message.expect("a message comes");
        message.expect("the stream holds").resume_token
    }
}

billing_client::billing_conformance!(Real::start().await);
