//! What goes wrong below gRPC reaches the caller as the status that gRPC prescribes.

use crate::peer::{POLICIES, Peer, channel, refuse, reply, reply_with, unary};
use cleave_mesh::{CallError, Cause, Mesh};
use serde_json::json;
use tokio::io::AsyncReadExt as _;
use tokio::net::TcpListener;
use tonic::Code;

#[tokio::test]
async fn nobody_there_is_unavailable() {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("bind");
    let address = listener.local_addr().expect("address").to_string();
    drop(listener);

    let error = CallError::from(
        unary(&channel(&address), "Write", "x")
            .await
            .expect_err("fails"),
    );

    assert_eq!(
        (error.code, error.cause),
        (Code::Unavailable, Cause::Unreachable)
    );
    assert!(error.message.contains("script"), "{error}");
}

#[tokio::test]
async fn given_calls_that_fail_when_the_state_is_shown_then_it_counts_each_cause() {
    let peer = Peer::start(|n, _| async move {
        match n {
            1 => reply(&["fine"], Code::Ok),
            _ => refuse(Code::NotFound),
        }
    })
    .await;
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("bind");
    let gone = listener.local_addr().expect("address").to_string();
    drop(listener);
    let mesh = Mesh::builder(POLICIES)
        .peer("gone", &gone)
        .peer("script", &peer.address.to_string())
        .build()
        .expect("mesh");

    for name in ["script", "script", "script", "gone"] {
        let _ = unary(&mesh.to(name).expect("peer"), "Write", "x").await;
    }

    let state = serde_json::to_value(mesh.state()).expect("JSON");
    assert_eq!(state[0]["failures"], json!({"unreachable": 1}));
    assert_eq!(state[1]["failures"], json!({"refused": 2}));
}

#[tokio::test]
async fn a_connection_that_breaks_is_unavailable() {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("bind");
    let address = listener.local_addr().expect("address").to_string();
    tokio::spawn(async move {
        let (mut stream, _) = listener.accept().await.expect("accept");
        let mut preface = [0; 24];
        stream.read_exact(&mut preface).await.expect("preface");
    });

    let error = CallError::from(
        unary(&channel(&address), "Write", "x")
            .await
            .expect_err("fails"),
    );

    assert_eq!(error.code, Code::Unavailable, "{error}");
}

#[tokio::test]
async fn a_replica_that_is_gone_is_passed_over_by_a_read() {
    let peer = Peer::start(|_, _| async { reply(&["answer"], Code::Ok) }).await;
    let gone = TcpListener::bind("127.0.0.1:0").await.expect("bind");
    let both = format!("{},{}", gone.local_addr().expect("address"), peer.address);
    drop(gone);
    let channel = channel(&both);

    for _ in 0..4 {
        assert_eq!(
            unary(&channel, "Read", "x").await.expect("answer"),
            "answer"
        );
    }
}

#[tokio::test]
async fn an_answer_beyond_the_limit_is_refused_and_not_asked_for_again() {
    let large = "x".repeat(4 * 1024 * 1024 + 1);
    let peer = Peer::start(move |_, _| {
        let large = large.clone();
        async move { reply(&[&large], Code::Ok) }
    })
    .await;

    let error = CallError::from(unary(&peer.channel, "Read", "x").await.expect_err("fails"));

    assert_eq!(
        (error.code, error.cause),
        (Code::ResourceExhausted, Cause::MessageTooLarge)
    );
    assert_eq!(peer.attempts().len(), 1);
}

#[tokio::test]
async fn a_passed_deadline_in_tonic_s_words_is_told_in_grpc_s() {
    let peer = Peer::start(|_, _| async {
        reply_with(
            &[],
            Code::Cancelled,
            &[("grpc-message", "Timeout%20expired")],
        )
    })
    .await;

    let status = unary(&peer.channel, "Write", "x").await.expect_err("fails");

    assert_eq!(status.code(), Code::DeadlineExceeded);
}

#[tokio::test]
async fn rubbish_in_the_trailers_harms_nobody() {
    let peer = Peer::start(|_, _| async {
        let rubbish = [
            ("grpc-status-details-bin", "%%%"),
            ("grpc-message", "%ff%fe"),
        ];
        reply_with(&[], Code::Internal, &rubbish)
    })
    .await;

    let status = unary(&peer.channel, "Read", "x").await.expect_err("fails");

    assert!(matches!(status.code(), Code::Internal | Code::Unknown));
}
