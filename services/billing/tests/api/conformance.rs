//! The cases that the fake of Operations' tests passes too.

use crate::server::{Server, payment, request_id};
use billing_client::BillingClient;
use billing_client::conformance::Arrange;
use billing_client::pb;
use billing_client::types::AccountStanding;
use cleave_kernel::Clock;
use futures::StreamExt;
use std::time::Duration;

/// A service whose clock runs, because a case waits for a lease to end by itself.
struct Real {
    server: Server,
    _ticking: tokio::task::JoinHandle<()>,
}

async fn real() -> Real {
    let server = Server::start().await;
    let clock = server.clock.clone();
    let ticking = tokio::spawn(async move {
        let mut last = tokio::time::Instant::now();
        loop {
            tokio::time::sleep(Duration::from_millis(5)).await;
            let now = tokio::time::Instant::now();
            clock.advance(now - last);
            last = now;
        }
    });
    Real {
        server,
        _ticking: ticking,
    }
}

impl Arrange for Real {
    fn client(&self) -> BillingClient {
        self.server.client.clone()
    }

    async fn pay(&self, account: &pb::BillingAccount, micros: i64) {
        let request = payment(&account.id, micros);
        self.server.client.record_payment(request).await.unwrap();
    }

    async fn set_standing(&self, account: &pb::BillingAccount, standing: AccountStanding) {
        let current = self.server.account(&account.id).await;
        let end = self.server.clock.now().plus(Duration::from_secs(3600));
        let request = pb::OverrideStandingRequest {
            request_id: request_id(),
            account_id: account.id.clone(),
            etag: current.etag,
            standing: standing.into(),
            reason: "conformance".to_owned(),
            actor: "conformance".to_owned(),
            end_time: Some(prost_types::Timestamp {
                seconds: end.micros() / 1_000_000,
                nanos: 0,
            }),
        };
        self.server.client.override_standing(request).await.unwrap();
    }

    async fn foreign_token(&self) -> String {
        let other = Server::start().await;
        other.advertiser(1).await;
        let request = pb::WatchAccountsRequest::default();
        let mut stream = other.client.watch_accounts(request).await.unwrap();
        stream.next().await.unwrap().unwrap().resume_token
    }
}

billing_client::billing_conformance!(real().await);
