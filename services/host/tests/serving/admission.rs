//! Too much work: who is refused first, and what they are told.

use crate::rig::{connect, host, message, page, reply, respond, rest, unary, watch};
use cleave_host::Running;
use cleave_mesh::policy::{Criticality, MethodPolicy, PolicyTable};
use futures::{StreamExt as _, stream};
use std::sync::Arc;
use tokio::sync::Semaphore;
use tokio::task::JoinSet;
use tonic::transport::Channel;
use tonic::{Code, Status};
use tonic_health::pb::HealthCheckRequest;
use tonic_health::pb::health_client::HealthClient;
use tonic_reflection::pb::v1::server_reflection_client::ServerReflectionClient;
use tonic_types::StatusExt as _;

static POLICIES: PolicyTable = PolicyTable::new(&[
    MethodPolicy {
        criticality: Criticality::Critical,
        ..MethodPolicy::new("/test.Script/Critical")
    },
    MethodPolicy::new("/test.Script/Default"),
    MethodPolicy {
        criticality: Criticality::Sheddable,
        ..MethodPolicy::new("/test.Script/Sheddable")
    },
    MethodPolicy {
        server_streaming: true,
        ..MethodPolicy::new("/test.Script/Watch")
    },
]);

/// A host for ten calls, each of which waits for a permit of the semaphore.
async fn start(go_on: &Arc<Semaphore>) -> Running {
    let go_on = Arc::clone(go_on);
    let settings = [
        ("host.admission.max_calls", "10"),
        ("host.admission.min_calls", "10"),
        ("host.admission.max_streams", "2"),
    ];
    host(&settings, move |request| {
        let go_on = Arc::clone(&go_on);
        async move {
            if request.uri().path().ends_with("Watch") {
                return respond(
                    stream::iter([message("first")])
                        .chain(stream::pending())
                        .boxed(),
                );
            }
            go_on.acquire().await.expect("open").forget();
            reply("done")
        }
    })
    .policies(POLICIES)
    .start()
    .await
    .expect("started")
}

/// Waits until so many calls are being handled.
async fn in_flight(running: &Running, calls: u64) {
    loop {
        let (_, body) = page(running.admin_addr(), "/mesh").await;
        let state: serde_json::Value = serde_json::from_str(&body).expect("json");
        if state["admission"]["calls"] == calls {
            return;
        }
        rest().await;
    }
}

/// Begins calls until `total` are in flight.
async fn fill(
    running: &Running,
    channel: &Channel,
    calls: &mut JoinSet<Result<String, Status>>,
    method: &'static str,
    total: u64,
) {
    while calls.len() < usize::try_from(total).expect("few") {
        let channel = channel.clone();
        calls.spawn(async move { unary(&channel, method, String::new()).await });
    }
    in_flight(running, total).await;
}

async fn refused(channel: &Channel, method: &str) -> Status {
    let answer = unary(channel, method, String::new()).await;
    answer.expect_err("refused")
}

#[tokio::test]
async fn sheddable_calls_go_first_then_usual_ones_then_critical_ones() {
    let go_on = Arc::new(Semaphore::new(0));
    let running = start(&go_on).await;
    let channel = connect(running.addr()).await;
    let mut calls = JoinSet::new();

    fill(&running, &channel, &mut calls, "Sheddable", 6).await;
    assert_eq!(
        refused(&channel, "Sheddable").await.code(),
        Code::ResourceExhausted
    );
    fill(&running, &channel, &mut calls, "Default", 8).await;
    assert_eq!(
        refused(&channel, "Default").await.code(),
        Code::ResourceExhausted
    );
    assert_eq!(
        refused(&channel, "Sheddable").await.code(),
        Code::ResourceExhausted
    );
    fill(&running, &channel, &mut calls, "Critical", 10).await;
    let status = refused(&channel, "Critical").await;

    assert_eq!(status.code(), Code::ResourceExhausted);
    let info = status.get_details_error_info().expect("error info");
    assert_eq!(
        (info.domain.as_str(), info.reason.as_str()),
        ("mesh.cleave", "OVERLOADED")
    );
    let delay = status
        .get_details_retry_info()
        .and_then(|info| info.retry_delay);
    let delay = delay.expect("a delay").as_millis();
    let pushback = status
        .metadata()
        .get("grpc-retry-pushback-ms")
        .expect("pushback");
    assert_eq!(pushback.to_str().expect("text"), delay.to_string());

    // Everything that was let in is done, and then there is room again.
    go_on.add_permits(11);
    while let Some(answer) = calls.join_next().await {
        assert_eq!(answer.expect("joined").expect("answer"), "done");
    }
    in_flight(&running, 0).await;
    let again = unary(&channel, "Sheddable", String::new()).await;
    assert_eq!(again.expect("answer"), "done");
}

#[tokio::test]
async fn calls_whose_callers_went_away_make_room() {
    let go_on = Arc::new(Semaphore::new(0));
    let running = start(&go_on).await;
    let channel = connect(running.addr()).await;
    let mut calls = JoinSet::new();
    fill(&running, &channel, &mut calls, "Critical", 10).await;

    calls.abort_all();

    in_flight(&running, 0).await;
}

#[tokio::test]
async fn health_is_answered_under_any_load() {
    let go_on = Arc::new(Semaphore::new(0));
    let running = start(&go_on).await;
    running.ready().await;
    let channel = connect(running.addr()).await;
    let mut calls = JoinSet::new();
    fill(&running, &channel, &mut calls, "Critical", 10).await;

    let mut health = tonic_health::pb::health_client::HealthClient::new(channel);
    let request = tonic_health::pb::HealthCheckRequest::default();
    health.check(request).await.expect("answer");
}

#[tokio::test]
async fn streams_have_a_bound_of_their_own_and_free_it_when_they_end() {
    let running = start(&Arc::new(Semaphore::new(1))).await;
    let channel = connect(running.addr()).await;
    let mut first = watch(&channel, String::new()).await.expect("stream");
    let mut second = watch(&channel, String::new()).await.expect("stream");
    for stream in [&mut first, &mut second] {
        assert_eq!(
            stream.message().await.expect("first").as_deref(),
            Some("first")
        );
    }

    let status = watch(&channel, String::new()).await.expect_err("refused");
    assert_eq!(status.code(), Code::ResourceExhausted);
    assert!(status.message().contains("2 streams"), "{status:?}");
    let info = status.get_details_error_info().expect("error info");
    assert_eq!(info.reason, "STREAMS_EXHAUSTED");
    // A unary call is another matter.
    let call = unary(&channel, "Default", String::new()).await;
    assert_eq!(call.expect("answer"), "done");

    drop(first);
    while watch(&channel, String::new()).await.is_err() {
        rest().await;
    }
}

#[tokio::test]
async fn given_too_many_streams_of_health_and_reflection_then_more_are_refused_and_no_other_call_is()
 {
    // Given as many as there may be
    let running = start(&Arc::new(Semaphore::new(1))).await;
    let channel = connect(running.addr()).await;
    let mut health = HealthClient::new(channel.clone());
    let watched = health.watch(HealthCheckRequest::default()).await;
    let watched = watched.expect("stream");
    let mut reflection = ServerReflectionClient::new(channel.clone());
    let idle = reflection.server_reflection_info(stream::pending()).await;
    let _idle = idle.expect("stream");

    // When there are more
    let more = [
        health.watch(HealthCheckRequest::default()).await.map(drop),
        reflection
            .server_reflection_info(stream::pending())
            .await
            .map(drop),
    ];

    // Then they are refused
    for more in more {
        let status = more.expect_err("refused");
        assert_eq!(status.code(), Code::ResourceExhausted);
        assert!(status.message().contains("2 streams"), "{status:?}");
        let info = status.get_details_error_info().expect("error info");
        assert_eq!(info.reason, "STREAMS_EXHAUSTED");
    }
    // And health itself and the service's own streams are not
    let check = health.check(HealthCheckRequest::default()).await;
    check.expect("answer");
    let _own = watch(&channel, String::new()).await.expect("stream");
    // And whoever leaves makes room
    drop(watched);
    while health.watch(HealthCheckRequest::default()).await.is_err() {
        rest().await;
    }
}

#[tokio::test]
async fn callers_who_do_not_read_their_answers_keep_no_places() {
    let running = start(&Arc::new(Semaphore::new(100))).await;
    let stream = tokio::net::TcpStream::connect(running.addr()).await;
    let io = hyper_util::rt::TokioIo::new(stream.expect("connected"));
    // No answer's message fits into a window of nothing.
    let (mut sender, connection) =
        hyper::client::conn::http2::Builder::new(hyper_util::rt::TokioExecutor::new())
            .initial_stream_window_size(0)
            .handshake(io)
            .await
            .expect("handshake");
    let _connection = tokio::spawn(connection);
    let mut unread = Vec::new();

    // Twice as many as there are places.
    for _ in 0..20 {
        let request = http::Request::post("http://test/test.Script/Critical")
            .header("content-type", "application/grpc")
            .body(http_body_util::Full::new(bytes::Bytes::from_static(
                &[0; 5],
            )))
            .expect("request");
        let answer = sender.send_request(request).await.expect("answer");
        assert!(!answer.headers().contains_key("grpc-status"), "{answer:?}");
        unread.push(answer);
    }

    in_flight(&running, 0).await;
}
