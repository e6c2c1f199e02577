//! The fake Billing passes the conformance cases, and fails on demand.

use billing_client::conformance::Arrange;
use billing_client::fake::{FakeBilling, Fault};
use billing_client::types::{AccountStanding, PartyKind};
use billing_client::{BillingClient, Origin, pb};
use futures::StreamExt;

struct Faked(FakeBilling);

impl Faked {
    async fn start() -> Self {
        Self(FakeBilling::start().await.expect("a port is free"))
    }
}

impl Arrange for Faked {
    fn client(&self) -> BillingClient {
        self.0.client()
    }

    async fn pay(&self, account: &pb::BillingAccount, micros: i64) {
        self.0.pay(&account.ops_ref, micros);
    }

    async fn set_standing(&self, account: &pb::BillingAccount, standing: AccountStanding) {
        self.0.set_standing(&account.ops_ref, Some(standing));
    }

    async fn foreign_token(&self) -> String {
        let request = pb::WatchAccountsRequest::default();
        let mut stream = self
            .client()
            .watch_accounts(request)
            .await
            .expect("it opens");
        let message = stream.next().await.expect("a message comes");
        self.0.restore();
        message.expect("the stream holds").resume_token
    }
}

billing_client::billing_conformance!(Faked::start().await);

fn opening() -> pb::OpenAccountRequest {
    pb::OpenAccountRequest {
        request_id: uuid::Uuid::now_v7().to_string(),
        ops_ref: billing_client::conformance::new_id("pub"),
        party: PartyKind::Publisher.into(),
        display_name: "Studio".to_owned(),
        currency_code: "INR".to_owned(),
        ..Default::default()
    }
}

#[tokio::test]
async fn a_reading_outlives_its_peer_and_says_so() {
    // Given a Billing that has answered once
    let billing = FakeBilling::start().await.expect("a port is free");
    let client = billing.client();
    let request = pb::BatchGetSpendRequest {
        line_item_ids: vec![billing_client::conformance::new_id("line")],
    };
    let live = client.batch_get_spend(request.clone()).await;
    let live = live.expect("it answers");
    assert_eq!((live.origin, live.is_stale()), (Origin::Live, false));

    // When it is gone
    billing.server().go_down().await;
    let kept = client.batch_get_spend(request.clone()).await;

    // Then the same is read again, with its age; and nothing that was never asked for
    let kept = kept.expect("the last answer");
    assert_eq!((kept.origin, kept.is_stale()), (Origin::Cache, true));
    assert_eq!((&kept.value, kept.revision), (&live.value, live.revision));
    let other = pb::BatchGetSpendRequest {
        line_item_ids: vec![billing_client::conformance::new_id("line")],
    };
    let refused = client.batch_get_spend(other).await;
    assert!(refused.expect_err("nobody answers").is_unavailable());

    // And live again once it is back
    billing
        .server()
        .come_up()
        .await
        .expect("the port is its own");
    let live_again = async {
        while client
            .batch_get_spend(request.clone())
            .await
            .expect("it answers")
            .is_stale()
        {
            tokio::task::yield_now().await;
        }
    };
    let patience = std::time::Duration::from_secs(10);
    tokio::time::timeout(patience, live_again)
        .await
        .expect("live");
}

#[tokio::test]
async fn a_lost_answer_is_had_by_asking_again() {
    // Given a Billing that opens the account, and loses the answer twice
    let billing = FakeBilling::start().await.expect("a port is free");
    billing.server().fail("OpenAccount", Fault::LoseReply, 2);

    // When it is asked once, over the mesh
    let answer = billing.client().open_account(opening()).await;

    // Then the policy's retries find the account that the first attempt opened
    assert!(
        answer
            .expect("the third attempt is answered")
            .account
            .is_some()
    );
    assert_eq!(billing.server().calls("OpenAccount"), 3);
}

#[tokio::test]
async fn a_follower_outlives_its_peer() {
    // Given a follower of a Billing that goes down
    let billing = FakeBilling::start().await.expect("a port is free");
    let client = billing.client();
    let mut followed = Box::pin(client.follow_accounts(pb::WatchAccountsRequest::default()));
    followed
        .next()
        .await
        .expect("it goes on")
        .expect("a message comes");
    billing.server().go_down().await;
    let error = client
        .open_account(opening())
        .await
        .expect_err("nobody answers");
    assert!(error.is_unavailable(), "{error:?}");

    // When it comes back with an account more
    billing
        .server()
        .come_up()
        .await
        .expect("the port is still free");
    client
        .open_account(opening())
        .await
        .expect("it answers again");

    // Then the follower sees it
    loop {
        let message = followed
            .next()
            .await
            .expect("it goes on")
            .expect("it mends itself");
        if !message.accounts.is_empty() {
            break;
        }
    }
}
