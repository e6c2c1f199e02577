//! Following accounts: from the beginning, from a token, across a restart, to the end.

use crate::server::{Server, client, payment, refused, request_id, settings};
use billing_client::pb;
use cleave_storage::feed;
use futures::StreamExt;
use std::collections::HashMap;
use std::time::Duration;
use tonic::Code;

/// What somebody who follows knows: the latest of each account.
#[derive(Debug, Default, PartialEq)]
struct Projection(HashMap<String, (i64, i64)>);

impl Projection {
    fn apply(&mut self, message: &pb::WatchAccountsResponse) {
        for account in &message.accounts {
            let known = self.0.entry(account.account_id.clone()).or_default();
            assert!(account.revision >= known.0, "a watch never goes back");
            *known = (account.revision, account.available_micros);
        }
    }
}

/// Follows from a token until a heartbeat says that there is no more; answers every message.
async fn follow(server: &Server, token: &str) -> Vec<pb::WatchAccountsResponse> {
    let request = pb::WatchAccountsRequest {
        resume_token: token.to_owned(),
    };
    let mut stream = server.client.watch_accounts(request).await.unwrap();
    let mut messages = Vec::new();
    loop {
        let next = tokio::time::timeout(Duration::from_secs(10), stream.next());
        let message = next.await.unwrap().unwrap().unwrap();
        let heartbeat = message.heartbeat;
        messages.push(message);
        if heartbeat {
            return messages;
        }
    }
}

fn project(messages: &[pb::WatchAccountsResponse]) -> Projection {
    let mut projection = Projection::default();
    messages
        .iter()
        .for_each(|message| projection.apply(message));
    projection
}

async fn watch(server: &Server, token: String) -> Result<(), billing_client::CallError> {
    let request = pb::WatchAccountsRequest {
        resume_token: token,
    };
    let mut stream = server.client.watch_accounts(request).await?;
    stream.next().await.unwrap().map(|_| ())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn given_any_token_when_replayed_then_the_projection_is_the_same() {
    let server = Server::start().await;
    let one = server.advertiser(100).await;
    let start = follow(&server, "").await;
    let two = server.advertiser(200).await;
    for amount in [1, 2, 3] {
        for account in [&one, &two] {
            let paid = payment(&account.id, amount);
            server.client.record_payment(paid).await.unwrap();
        }
    }
    let fresh = project(&follow(&server, "").await);
    assert_eq!(fresh.0.len(), 2);
    assert_eq!(fresh.0[&one.id].1, 106);
    for message in &start {
        let mut resumed = project(&start);
        let rest = follow(&server, &message.resume_token).await;
        rest.iter().for_each(|message| resumed.apply(message));
        assert_eq!(resumed, fresh);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn given_an_idle_watch_when_something_changes_then_it_hears_at_once() {
    let server = Server::start().await;
    let account = server.advertiser(100).await;
    let request = pb::WatchAccountsRequest::default();
    let mut stream = server.client.watch_accounts(request).await.unwrap();
    let first = stream.next().await.unwrap().unwrap();
    assert_eq!(first.accounts.len(), 1);
    server
        .client
        .record_payment(payment(&account.id, 11))
        .await
        .unwrap();
    loop {
        let message = stream.next().await.unwrap().unwrap();
        if !message.heartbeat {
            assert_eq!(message.accounts[0].available_micros, 111);
            return;
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn given_a_restore_when_resumed_then_the_token_has_expired() {
    let server = Server::start().await;
    server.advertiser(100).await;
    let token = follow(&server, "").await.pop().unwrap().resume_token;
    let ahead = {
        let other = Server::start().await;
        other.advertiser(1).await;
        follow(&other, "").await.pop().unwrap().resume_token
    };
    let error = refused(
        watch(&server, ahead).await,
        Code::OutOfRange,
        "RESUME_TOKEN_EXPIRED",
    );
    assert_eq!(error.metadata["cause"], "EPOCH");

    server
        .database
        .db()
        .transaction("restore", |txn| async move { feed::bump_epoch(&txn).await })
        .await
        .unwrap();
    refused(
        watch(&server, token).await,
        Code::OutOfRange,
        "RESUME_TOKEN_EXPIRED",
    );
    let error = watch(&server, "rubbish".to_owned()).await;
    refused(error, Code::InvalidArgument, "INVALID_REQUEST");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn given_a_watch_when_the_service_goes_down_then_it_ends_and_resumes_on_the_next() {
    let server = Server::start().await;
    let account = server.advertiser(100).await;
    let request = pb::WatchAccountsRequest::default();
    let mut stream = server.client.watch_accounts(request).await.unwrap();
    let token = stream.next().await.unwrap().unwrap().resume_token;
    server.running.drain().begin();
    let end = loop {
        match stream.next().await.unwrap() {
            Ok(_) => {}
            Err(error) => break error,
        }
    };
    refused(Err::<(), _>(end), Code::Unavailable, "SHUTTING_DOWN");
    assert!(server.running.wait().await.clean);

    let next = billing::start(settings(server.database.url()))
        .await
        .unwrap();
    next.ready().await;
    let client = client(&next);
    let paid = pb::RecordPaymentRequest {
        request_id: request_id(),
        ..payment(&account.id, 5)
    };
    client.record_payment(paid).await.unwrap();
    let request = pb::WatchAccountsRequest {
        resume_token: token,
    };
    let mut stream = client.watch_accounts(request).await.unwrap();
    let message = stream.next().await.unwrap().unwrap();
    assert_eq!(message.accounts[0].available_micros, 105);
    drop(stream);
    assert!(next.shutdown().await.clean);
}
