//! A slow call is sent a second time, where its policy says so.

use crate::peer::{POLICIES, Peer, refuse, reply, unary};
use crate::replica::{Fleet, Health, Mode, Replica, tuning};
use bytes::Bytes;
use cleave_mesh::{Mesh, Tuning};
use http::{HeaderMap, HeaderValue, Response};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};
use tokio::net::{TcpListener, TcpStream};
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

#[tokio::test]
async fn given_a_replica_that_refuses_when_a_copy_answers_then_the_refusal_counts_all_the_same() {
    // Given two replicas, one of which refuses
    let fleet = Fleet::start(2).await;
    fleet.reach_all().await;
    fleet.replicas[0].set(Mode::Refuse(Code::Unavailable));
    let before = fleet.replicas[0].calls();

    // When it is asked, and the other one answers for it
    while fleet.replicas[0].calls() == before {
        unary(&fleet.channel, "Hedged", "x").await.expect("answer");
    }

    // Then that is a failure of its own
    let refused = fleet.replicas[0].calls() - before;
    let known = fleet.mesh.state()[0].replicas[0].failures;
    assert_eq!(usize::try_from(known), Ok(refused));
}

/// Refuses so many streams before it looks at them, and answers from then on.
async fn refusing(mut left: usize, seen: Arc<Mutex<Vec<HeaderMap>>>, stream: TcpStream) {
    let mut connection = h2::server::handshake(stream).await.expect("HTTP/2");
    while let Some(Ok((request, mut respond))) = connection.accept().await {
        if left > 0 {
            left -= 1;
            respond.send_reset(h2::Reason::REFUSED_STREAM);
            continue;
        }
        seen.lock()
            .expect("not poisoned")
            .push(request.headers().clone());
        let mut response = Response::new(());
        let kind = HeaderValue::from_static("application/grpc");
        response.headers_mut().insert("content-type", kind);
        let mut body = respond.send_response(response, false).expect("sent");
        let empty = Bytes::from_static(&[0; 5]);
        body.send_data(empty, false).expect("sent");
        let mut trailers = HeaderMap::new();
        trailers.insert("grpc-status", HeaderValue::from_static("0"));
        body.send_trailers(trailers).expect("sent");
    }
}

#[tokio::test]
async fn given_a_call_with_copies_when_no_replica_saw_it_then_it_is_sent_anew_free_of_charge() {
    // Given a replica that refuses the first streams
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("bind");
    let address = listener.local_addr().expect("address").to_string();
    let seen = Arc::<Mutex<Vec<HeaderMap>>>::default();
    let told = Arc::clone(&seen);
    tokio::spawn(async move {
        let (stream, _) = listener.accept().await.expect("accept");
        refusing(5, told, stream).await;
    });
    let mesh = Mesh::builder(POLICIES).peer("script", &address);
    let mesh = mesh.tuning(Tuning {
        watch_health: false,
        ..tuning()
    });
    let mesh = mesh.build().expect("mesh");

    // When it is called
    let channel = mesh.to("script").expect("peer");
    unary(&channel, "HedgedLate", "x").await.expect("answer");

    // Then it has seen one attempt, and nobody is to blame
    let seen = seen.lock().expect("not poisoned");
    assert_eq!(seen.len(), 1);
    assert_eq!(seen[0].get("grpc-previous-rpc-attempts"), None);
    let state = mesh.state().remove(0);
    assert_eq!((state.retry_budget, state.replicas[0].failures), (100, 0));
}
