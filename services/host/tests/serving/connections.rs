//! How long connections live, how many there may be, and that no call is lost when one ends.

use crate::rig::{connect, host, message, page, reply, respond, rest, unary, watch};
use bytes::Bytes;
use cleave_host::Running;
use futures::{StreamExt as _, stream};
use http_body_util::{BodyExt as _, Full};
use hyper::client::conn::http2::{Connection, SendRequest, handshake};
use hyper_util::rt::{TokioExecutor, TokioIo};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};
use tokio::io::AsyncReadExt as _;
use tokio::net::TcpStream;
use tokio::sync::Notify;
use tonic::{Code, Status};

type Io = TokioIo<TcpStream>;

/// A bare HTTP/2 connection: unlike a channel it shows its own end.
async fn bare(
    address: std::net::SocketAddr,
) -> (
    SendRequest<Full<Bytes>>,
    Connection<Io, Full<Bytes>, TokioExecutor>,
) {
    let stream = TcpStream::connect(address).await.expect("connected");
    handshake(TokioExecutor::new(), TokioIo::new(stream))
        .await
        .expect("handshake")
}

fn request(method: &str) -> http::Request<Full<Bytes>> {
    http::Request::post(format!("http://test/test.Script/{method}"))
        .header("content-type", "application/grpc")
        .body(Full::new(Bytes::from_static(&[0, 0, 0, 0, 0])))
        .expect("request")
}

#[tokio::test]
async fn a_connection_of_age_is_replaced_and_its_call_in_flight_finishes() {
    let (entered, go_on) = (Arc::new(Notify::new()), Arc::new(Notify::new()));
    let (enter, wait) = (Arc::clone(&entered), Arc::clone(&go_on));
    let running = host(&[("host.max_connection_age", "50ms")], move |request| {
        let (enter, wait) = (Arc::clone(&enter), Arc::clone(&wait));
        async move {
            if request.uri().path().ends_with("Call") {
                enter.notify_one();
                wait.notified().await;
            }
            reply("finished")
        }
    })
    .start()
    .await
    .expect("started");
    let (mut sender, connection) = bare(running.addr()).await;
    let ended = tokio::spawn(connection);
    let call = tokio::spawn(sender.send_request(request("Call")));
    entered.notified().await;

    // Until the connection takes no more calls.
    let mut answered = 0;
    loop {
        match sender.try_send_request(request("Watch")).await {
            Ok(response) => {
                assert_eq!(response.status(), 200);
                answered += 1;
            }
            Err(mut refused) => {
                // It was not lost: it comes back unsent and can go elsewhere.
                assert!(refused.take_message().is_some(), "{refused:?}");
                break;
            }
        }
    }

    assert!(answered > 0);
    assert!(!call.is_finished());
    go_on.notify_one();
    assert_eq!(call.await.expect("joined").expect("answer").status(), 200);
    ended.await.expect("joined").expect("ended in order");
}

#[tokio::test]
async fn a_stream_on_a_connection_of_age_is_told_to_go_elsewhere() {
    let settings = [
        ("host.max_connection_age", "20ms"),
        ("host.max_connection_grace", "20ms"),
    ];
    let running = host(&settings, |_| async {
        let messages = stream::iter([message("first")]).chain(stream::pending());
        respond(messages.boxed())
    })
    .start()
    .await
    .expect("started");
    let channel = connect(running.addr()).await;
    let mut stream = watch(&channel, String::new()).await.expect("stream");
    let first = stream.message().await.expect("first");
    assert_eq!(first, Some("first".to_owned()));

    let status = stream.message().await.expect_err("told");

    assert_eq!(status.code(), Code::Unavailable);
    assert!(status.message().contains("come of age"), "{status:?}");
}

#[tokio::test]
async fn given_a_connection_in_its_grace_when_the_service_ends_then_the_grace_is_over() {
    // Given a connection of age, with a stream that has two minutes to end
    let running = host(
        &[("host.max_connection_age", "20ms")],
        |request| async move {
            if request.uri().path().ends_with("Call") {
                return reply("fine");
            }
            let messages = stream::iter([message("first")]).chain(stream::pending());
            respond(messages.boxed())
        },
    )
    .start()
    .await
    .expect("started");
    let (mut sender, connection) = bare(running.addr()).await;
    let ended = tokio::spawn(connection);
    let stream = sender.send_request(request("Watch")).await.expect("answer");
    while sender.try_send_request(request("Call")).await.is_ok() {}
    let start = Instant::now();

    // When the service ends
    let stopped = running.shutdown().await;

    // Then the stream is told within the cap, and the end is clean
    assert!(stopped.clean);
    assert!(
        start.elapsed() < Duration::from_secs(15),
        "{:?}",
        start.elapsed()
    );
    let body = stream.into_body().collect().await.expect("whole");
    let status = Status::from_header_map(body.trailers().expect("trailers"));
    let status = status.expect("a status");
    assert_eq!(status.code(), Code::Unavailable);
    assert!(status.message().contains("shutting down"), "{status:?}");
    ended.await.expect("joined").expect("ended in order");
}

#[tokio::test]
async fn given_a_worker_that_is_blocked_then_the_connections_go_to_another() {
    // Given two workers, one of which a handler blocks
    let entered = Arc::new(Notify::new());
    let (release, blocked) = std::sync::mpsc::channel::<()>();
    let (enter, blocked) = (Arc::clone(&entered), Arc::new(Mutex::new(blocked)));
    let running = host(&[("host.workers", "2")], move |request| {
        let (enter, blocked) = (Arc::clone(&enter), Arc::clone(&blocked));
        async move {
            if request.uri().path().ends_with("Watch") {
                enter.notify_one();
                // Returns once the test lets go of the other end.
                let _ = blocked.lock().expect("not poisoned").recv();
            }
            reply("fine")
        }
    })
    .start()
    .await
    .expect("started");
    let (mut sender, connection) = bare(running.addr()).await;
    let connection = tokio::spawn(connection);
    let stuck = tokio::spawn(sender.send_request(request("Watch")));
    entered.notified().await;

    // When one connection waits for it, another is at the other worker, and more come and call
    let _silent = [
        TcpStream::connect(running.addr()).await.expect("connected"),
        TcpStream::connect(running.addr()).await.expect("connected"),
    ];
    while connected(&running).await < 2 {
        rest().await;
    }

    // Then all of those are served
    for _ in 0..10 {
        let call = async {
            let (mut sender, connection) = bare(running.addr()).await;
            let connection = tokio::spawn(connection);
            let answer = sender.send_request(request("Call")).await;
            connection.abort();
            answer.expect("answer").status()
        };
        let served = tokio::time::timeout(Duration::from_secs(20), call).await;
        assert_eq!(served.expect("served"), 200);
    }
    drop(release);
    assert_eq!(stuck.await.expect("joined").expect("answer").status(), 200);
    connection.abort();
}

/// How many connections are served.
async fn connected(running: &Running) -> usize {
    let (_, state) = page(running.admin_addr(), "/mesh").await;
    let state: serde_json::Value = serde_json::from_str(&state).expect("json");
    state["connections"].as_array().expect("connections").len()
}

#[tokio::test]
async fn a_connection_without_calls_is_closed_and_one_with_a_call_is_not() {
    let (entered, go_on) = (Arc::new(Notify::new()), Arc::new(Notify::new()));
    let (enter, wait) = (Arc::clone(&entered), Arc::clone(&go_on));
    let running = host(&[("host.max_connection_idle", "50ms")], move |_| {
        let (enter, wait) = (Arc::clone(&enter), Arc::clone(&wait));
        async move {
            enter.notify_one();
            wait.notified().await;
            reply("finished")
        }
    })
    .start()
    .await
    .expect("started");
    let (mut busy, connection) = bare(running.addr()).await;
    let busy_ended = tokio::spawn(connection);
    let call = tokio::spawn(busy.send_request(request("Call")));
    entered.notified().await;
    let (_idle, connection) = bare(running.addr()).await;

    // Made later, closed earlier.
    connection.await.expect("ended in order");

    assert!(!busy_ended.is_finished());
    go_on.notify_one();
    assert_eq!(call.await.expect("joined").expect("answer").status(), 200);
    busy_ended.await.expect("joined").expect("ended in order");
}

#[tokio::test]
async fn a_connection_too_many_is_closed_at_once_and_a_later_one_is_served() {
    let running = host(&[("host.max_connections", "1")], |_| async {
        reply("fine")
    })
    .start()
    .await
    .expect("started");
    let first = connect(running.addr()).await;
    let fine = unary(&first, "Call", String::new()).await;
    assert_eq!(fine.expect("answer"), "fine");

    let mut second = TcpStream::connect(running.addr()).await.expect("connected");
    let mut answer = Vec::new();
    let closed = second.read_to_end(&mut answer).await;
    assert!(closed.is_err() || answer.is_empty(), "{answer:?}");

    drop(first);
    // The place is free once the service has seen the end of the first.
    let third = loop {
        let endpoint =
            tonic::transport::Endpoint::from_shared(format!("http://{}", running.addr()));
        let channel = endpoint.expect("address").connect_lazy();
        if let Ok(answer) = unary(&channel, "Call", String::new()).await {
            break answer;
        }
    };
    assert_eq!(third, "fine");
}

#[tokio::test]
async fn more_calls_than_streams_on_one_connection_wait_for_their_turn() {
    let running = host(&[("host.max_streams", "2")], |_| async { reply("fine") })
        .start()
        .await
        .expect("started");
    let channel = connect(running.addr()).await;
    // With this answer the client has seen the limit; before, what is beyond it is refused unseen.
    let first = unary(&channel, "Call", String::new()).await;
    assert_eq!(first.expect("answer"), "fine");

    let calls = (0..50).map(|_| unary(&channel, "Call", String::new()));
    let answers = futures::future::join_all(calls).await;

    assert!(answers.iter().all(Result::is_ok), "{answers:?}");
}

#[tokio::test]
async fn what_is_open_is_counted() {
    let running = host(&[], |_| async { reply("fine") })
        .start()
        .await
        .expect("started");
    let (_sender, connection) = bare(running.addr()).await;
    let _connection = tokio::spawn(connection);
    let channel = connect(running.addr()).await;
    unary(&channel, "Call", String::new())
        .await
        .expect("answer");

    let (_, metrics) = crate::rig::page(running.admin_addr(), "/metrics").await;

    assert!(
        metrics.contains("cleave_server_connections{service=\"test\"}"),
        "{metrics}"
    );
    assert!(
        metrics.contains("cleave_server_calls{service=\"test\"}"),
        "{metrics}"
    );
}
