//! Every call ends at its deadline, wherever it is stuck.

use crate::peer::{Peer, call, channel, reply, stall, unary, watch};
use cleave_mesh::context::{self, CallContext};
use cleave_mesh::{CallError, Cause, Deadline, timeout};
use std::sync::Arc;
use std::time::Duration;
use tokio::net::TcpListener;
use tokio::sync::Notify;
use tonic::Code;

/// Notifies when it is dropped.
struct OnDrop(Arc<Notify>);

impl Drop for OnDrop {
    fn drop(&mut self) {
        self.0.notify_one();
    }
}

#[tokio::test]
async fn a_peer_that_never_answers_is_left_at_the_deadline() {
    let left = Arc::new(Notify::new());
    let guard = Arc::clone(&left);
    let peer = Peer::start(move |_, _| {
        let guard = OnDrop(Arc::clone(&guard));
        async move {
            let _guard = guard;
            std::future::pending().await
        }
    })
    .await;

    let error = CallError::from(
        unary(&peer.channel, "Short", "x")
            .await
            .expect_err("expired"),
    );

    assert_eq!(error.code, Code::DeadlineExceeded);
    assert_eq!(error.cause, Cause::DeadlineOnWire);
    left.notified().await;
    let told = peer.attempts()[0]["grpc-timeout"].clone();
    let told = timeout::parse(told.as_bytes()).expect("a timeout");
    assert!(told <= Duration::from_millis(150), "{told:?}");
}

#[tokio::test]
async fn a_connection_that_never_speaks_is_left_at_the_deadline() {
    let silent = TcpListener::bind("127.0.0.1:0").await.expect("bind");
    let channel = channel(&silent.local_addr().expect("address").to_string());

    let status = unary(&channel, "Short", "x").await.expect_err("expired");

    assert_eq!(status.code(), Code::DeadlineExceeded);
}

#[tokio::test]
async fn a_stream_that_stalls_ends_at_the_caller_s_deadline() {
    let peer = Peer::start(|_, _| async { stall(&["first"]) }).await;
    let mut request = tonic::Request::new(String::new());
    request.set_timeout(Duration::from_millis(150));

    let mut stream = watch(&peer.channel, request).await.expect("stream");

    assert_eq!(
        stream.message().await.expect("first"),
        Some("first".to_owned())
    );
    let status = stream.message().await.expect_err("expired");
    assert_eq!(status.code(), Code::DeadlineExceeded);
}

#[tokio::test]
async fn the_caller_may_ask_for_less_than_the_method_allows_but_not_for_more() {
    let peer = Peer::start(|_, _| async { reply(&["ok"], Code::Ok) }).await;
    for (asked, allowed) in [(50, 50), (60_000, 150)] {
        let mut request = tonic::Request::new(String::new());
        request.set_timeout(Duration::from_millis(asked));
        call(&peer.channel, "Short", request).await.expect("answer");

        let sent = peer.attempts().last().expect("attempt")["grpc-timeout"].clone();
        let sent = timeout::parse(sent.as_bytes()).expect("a timeout");
        assert!(
            sent <= Duration::from_millis(allowed),
            "asked {asked}: {sent:?}"
        );
    }
}

#[tokio::test]
async fn given_a_method_of_no_contract_when_it_is_called_then_it_has_a_deadline_all_the_same() {
    let peer = Peer::start(|_, _| async { reply(&["ok"], Code::Ok) }).await;
    let sent = async |asked: Option<u64>| {
        let mut request = tonic::Request::new(String::new());
        if let Some(seconds) = asked {
            request.set_timeout(Duration::from_secs(seconds));
        }
        call(&peer.channel, "Unheard", request)
            .await
            .expect("answer");
        let headers = peer.attempts().pop().expect("attempt");
        timeout::parse(headers["grpc-timeout"].as_bytes()).expect("a timeout")
    };

    let second = Duration::from_secs(1);
    let usual = sent(None).await;
    assert!(usual > 5 * second && usual <= 10 * second, "{usual:?}");
    // Whoever calls knows better what it is.
    let asked = sent(Some(60)).await;
    assert!(asked > 50 * second && asked <= 60 * second, "{asked:?}");
}

#[tokio::test]
async fn a_call_made_by_a_handler_inherits_what_its_caller_left() {
    let peer = Peer::start(|_, _| async { reply(&["ok"], Code::Ok) }).await;
    let inbound = CallContext {
        deadline: Some(Deadline::after(Duration::from_secs(1))),
        ..CallContext::root()
    };
    let trace = inbound.trace.trace_id().to_string();

    context::scope(inbound, unary(&peer.channel, "Read", "x"))
        .await
        .expect("answer");

    let headers = &peer.attempts()[0];
    let sent = timeout::parse(headers["grpc-timeout"].as_bytes()).expect("a timeout");
    assert!(sent <= Duration::from_millis(990), "{sent:?}");
    assert!(
        headers["traceparent"]
            .to_str()
            .expect("text")
            .contains(&trace)
    );
    assert_eq!(headers["cleave-hops"], "tester;retries");
}

#[tokio::test]
async fn a_call_made_after_the_deadline_is_not_sent() {
    let peer = Peer::start(|_, _| async { reply(&["ok"], Code::Ok) }).await;
    let inbound = CallContext {
        deadline: Some(Deadline::after(Duration::ZERO)),
        ..CallContext::root()
    };

    let status = context::scope(inbound, unary(&peer.channel, "Read", "x")).await;

    let error = CallError::from(status.expect_err("expired"));
    assert_eq!(error.code, Code::DeadlineExceeded);
    assert_eq!(error.cause, Cause::DeadlineBeforeSend);
    assert!(peer.attempts().is_empty());
}
