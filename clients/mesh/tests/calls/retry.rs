//! A failed call is repeated as its policy says, and never otherwise.

use crate::peer::{Peer, refuse, reply, reply_with, stall, text_of, unary, watch};
use std::time::{Duration, Instant};
use tonic::Code;

#[tokio::test]
async fn an_unavailable_peer_is_asked_again_with_the_same_request() {
    let peer = Peer::start(|n, request| async move {
        match n {
            1 | 2 => refuse(Code::Unavailable),
            _ => reply(&[&text_of(request).await], Code::Ok),
        }
    })
    .await;

    let answer = unary(&peer.channel, "Read", "the same")
        .await
        .expect("answer");

    assert_eq!(answer, "the same");
    let attempts = peer.attempts();
    let previous: Vec<_> = attempts
        .iter()
        .map(|h| h.get("grpc-previous-rpc-attempts"))
        .collect();
    let numbers: Vec<_> = previous
        .iter()
        .map(|n| n.map(|n| n.to_str().expect("text")))
        .collect();
    assert_eq!(numbers, [None, Some("1"), Some("2")]);
}

#[tokio::test]
async fn a_method_that_promises_nothing_is_asked_once() {
    let peer = Peer::start(|_, _| async { refuse(Code::Unavailable) }).await;

    let status = unary(&peer.channel, "Write", "x")
        .await
        .expect_err("refused");

    assert_eq!(status.code(), Code::Unavailable);
    assert_eq!(peer.attempts().len(), 1);
}

#[tokio::test]
async fn a_code_that_the_policy_does_not_name_is_final() {
    let peer = Peer::start(|_, _| async { refuse(Code::Internal) }).await;

    let status = unary(&peer.channel, "Read", "x")
        .await
        .expect_err("refused");

    assert_eq!(status.code(), Code::Internal);
    assert_eq!(peer.attempts().len(), 1);
}

#[tokio::test]
async fn attempts_end_and_the_last_failure_is_told() {
    let peer = Peer::start(|_, _| async { refuse(Code::Unavailable) }).await;

    let status = unary(&peer.channel, "Read", "x")
        .await
        .expect_err("refused");

    assert_eq!(status.message(), "as the script says");
    assert_eq!(peer.attempts().len(), 4);
}

#[tokio::test]
async fn a_failure_in_real_trailers_is_seen() {
    let peer = Peer::start(|n, _| async move {
        match n {
            1 => reply(&[], Code::Unavailable),
            2 => reply(&["half an answer"], Code::Unavailable),
            _ => reply(&["answer"], Code::Ok),
        }
    })
    .await;

    let answer = unary(&peer.channel, "Read", "x").await.expect("answer");

    assert_eq!(answer, "answer");
    assert_eq!(peer.attempts().len(), 3);
}

#[tokio::test]
async fn the_server_may_forbid_a_repetition() {
    let peer = Peer::start(|_, _| async {
        reply_with(&[], Code::Unavailable, &[("grpc-retry-pushback-ms", "-1")])
    })
    .await;

    unary(&peer.channel, "Read", "x")
        .await
        .expect_err("refused");

    assert_eq!(peer.attempts().len(), 1);
}

#[tokio::test]
async fn the_server_may_say_when() {
    let peer = Peer::start(|n, _| async move {
        match n {
            1 => reply_with(&[], Code::Unavailable, &[("grpc-retry-pushback-ms", "120")]),
            _ => reply(&["answer"], Code::Ok),
        }
    })
    .await;
    let start = Instant::now();

    unary(&peer.channel, "Read", "x").await.expect("answer");

    assert!(start.elapsed() >= Duration::from_millis(120));
}

#[tokio::test]
async fn a_stream_is_opened_again_until_its_first_message() {
    let peer = Peer::start(|n, _| async move {
        match n {
            1 => reply(&[], Code::Unavailable),
            _ => reply(&["first"], Code::Unavailable),
        }
    })
    .await;

    let mut stream = watch(&peer.channel, tonic::Request::new(String::new()))
        .await
        .expect("stream");

    assert_eq!(
        stream.message().await.expect("first"),
        Some("first".to_owned())
    );
    let status = stream.message().await.expect_err("ended");
    assert_eq!(status.code(), Code::Unavailable);
    assert_eq!(peer.attempts().len(), 2);
}

#[tokio::test]
async fn the_first_message_of_a_stream_is_not_held_back() {
    let peer = Peer::start(|_, _| async { stall(&["first"]) }).await;

    let mut stream = watch(&peer.channel, tonic::Request::new(String::new()))
        .await
        .expect("stream");

    assert_eq!(
        stream.message().await.expect("first"),
        Some("first".to_owned())
    );
}

#[tokio::test]
async fn a_request_too_large_to_keep_is_sent_once_and_whole() {
    let large = "x".repeat(600 * 1024);
    let peer = Peer::start(|n, request| async move {
        match text_of(request).await.len() {
            614_400 if n == 1 => refuse(Code::Unavailable),
            _ => reply(&["again"], Code::Ok),
        }
    })
    .await;

    let status = unary(&peer.channel, "Read", &large)
        .await
        .expect_err("refused");

    assert_eq!(status.code(), Code::Unavailable);
    assert_eq!(peer.attempts().len(), 1);
}

#[tokio::test]
async fn a_peer_that_only_fails_gets_few_repetitions() {
    let peer = Peer::start(|_, _| async { refuse(Code::Unavailable) }).await;
    let start = Instant::now();

    for _ in 0..20 {
        unary(&peer.channel, "Read", "x")
            .await
            .expect_err("refused");
    }

    // A fifth of the calls, and a few in each window of ten seconds.
    let windows = usize::try_from(start.elapsed().as_secs() / 10).expect("few") + 1;
    let made = peer.attempts().len();
    assert!(
        made <= 20 + 4 + 3 * windows,
        "20 calls made {made} attempts"
    );
}
