//! A slow call is sent a second time, where its policy says so.

use crate::peer::{POLICIES, Peer, refuse, reply, unary};
use crate::replica::{Health, Mode, Replica, tuning};
use cleave_mesh::{Mesh, Tuning};
use std::time::{Duration, Instant};
use tonic::Code;

#[tokio::test]
async fn a_second_copy_answers_for_a_slow_first_one() {
    let peer = Peer::start(|n, _| async move {
        if n == 1 {
            std::future::pending::<()>().await;
        }
        reply(&["quick"], Code::Ok)
    })
    .await;
    let start = Instant::now();

    let answer = unary(&peer.channel, "Hedged", "x").await.expect("answer");

    assert_eq!(answer, "quick");
    assert!(
        start.elapsed() < Duration::from_secs(5),
        "{:?}",
        start.elapsed()
    );
    let attempts = peer.attempts();
    assert_eq!(attempts.len(), 2);
    assert_eq!(attempts[1]["grpc-previous-rpc-attempts"], "1");
}

#[tokio::test]
async fn a_quick_answer_needs_no_copy() {
    let peer = Peer::start(|_, _| async { reply(&["quick"], Code::Ok) }).await;
    unary(&peer.channel, "Hedged", "x").await.expect("answer");
    assert_eq!(peer.attempts().len(), 1);
}

#[tokio::test]
async fn a_failure_that_may_pass_brings_the_next_copy_and_another_ends_the_call() {
    let peer = Peer::start(|n, _| async move {
        match n {
            1 => refuse(Code::Unavailable),
            2 => reply(&["second"], Code::Ok),
            _ => refuse(Code::Internal),
        }
    })
    .await;
    let answer = unary(&peer.channel, "Hedged", "x").await.expect("answer");
    assert_eq!(answer, "second");

    let status = unary(&peer.channel, "Hedged", "x")
        .await
        .expect_err("fatal");
    assert_eq!(status.code(), Code::Internal);
    assert_eq!(peer.attempts().len(), 3);
}

#[tokio::test]
async fn a_copy_that_finds_no_room_does_not_hold_up_the_first_one() {
    let replica = Replica::start_with(Some(1), Health::Absent).await;
    let mesh = Mesh::builder(POLICIES)
        .peer("script", &replica.address.to_string())
        .tuning(Tuning {
            max_connections: 1,
            ..tuning()
        })
        .build()
        .expect("mesh");
    let channel = mesh.to("script").expect("peer");
    unary(&channel, "Hedged", "x").await.expect("connected");
    replica.set(Mode::Answer(Duration::from_millis(200)));

    let answer = unary(&channel, "Hedged", "x");

    let in_time = tokio::time::timeout(Duration::from_secs(5), answer).await;
    in_time.expect("long before its deadline").expect("answer");
}
