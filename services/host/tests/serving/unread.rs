//! Answers that their client leaves where they are: it grants no room for them.

use crate::rig::{connect, host, message, page, respond, trailers, unary};
use bytes::Bytes;
use cleave_host::Running;
use futures::stream;
use futures::{FutureExt as _, StreamExt as _};
use h2::client::SendRequest;
use std::sync::Arc;
use std::time::Duration;
use tokio::net::TcpStream;
use tokio::sync::Notify;
use tonic::{Code, Status};

/// What the services get to notice; the timeouts of the calls are far below.
const PATIENCE: Duration = Duration::from_secs(20);

/// Notifies when it is dropped.
struct OnDrop(Arc<Notify>);

impl Drop for OnDrop {
    fn drop(&mut self) {
        self.0.notify_one();
    }
}

/// A service that answers `Call` and `Watch` with a lot and everything else with a refusal; tells when it lets
/// go of a lot.
async fn start(changes: &[(&str, &str)]) -> (Running, Arc<Notify>) {
    let gone = Arc::new(Notify::new());
    let guard = Arc::clone(&gone);
    let running = host(changes, move |request: http::Request<_>| {
        let guard = OnDrop(Arc::clone(&guard));
        async move {
            if request.uri().path().ends_with("Short") {
                std::mem::forget(guard);
                return Status::not_found("as the test asked").into_http();
            }
            let lot = stream::repeat_with(move || {
                let _held = &guard;
                message(&"x".repeat(100_000))
            });
            match request.headers().contains_key("x-once") {
                true => respond(
                    lot.take(1)
                        .chain(stream::iter([trailers(Code::Ok)]))
                        .boxed(),
                ),
                false => respond(lot.boxed()),
            }
        }
    });
    let running = running.start().await.expect("started");
    running.ready().await;
    (running, gone)
}

/// A client whose answers have room for so many bytes each, and no more ever.
async fn client(running: &Running, room: u32) -> SendRequest<Bytes> {
    let stream = TcpStream::connect(running.addr()).await.expect("connected");
    let (sender, connection) = h2::client::Builder::new()
        .initial_window_size(room)
        .handshake(stream)
        .await
        .expect("handshake");
    // It ends with the test.
    tokio::spawn(connection.map(drop));
    sender.ready().await.expect("ready")
}

/// The answer to a call that has so much time.
async fn call(
    client: &mut SendRequest<Bytes>,
    method: &str,
    timeout: &str,
    once: bool,
) -> http::Response<h2::RecvStream> {
    let mut request = http::Request::post(format!("http://test/test.Script/{method}"))
        .header("content-type", "application/grpc")
        .header("grpc-timeout", timeout)
        .body(())
        .expect("request");
    if once {
        request
            .headers_mut()
            .insert("x-once", "1".parse().expect("value"));
    }
    let (response, mut body) = client.send_request(request, false).expect("sent");
    body.send_data(Bytes::from_static(&[0, 0, 0, 0, 0]), true)
        .expect("sent");
    response.await.expect("answer")
}

#[tokio::test]
async fn given_a_client_that_grants_no_room_when_the_deadline_passes_then_nothing_is_held_for_it() {
    for (room, method, once) in [
        (0, "Call", false),
        (0, "Call", true),
        (1, "Call", true),
        (1, "Watch", true),
        (0, "Watch", false),
        (70_000, "Call", false),
        (70_000, "Watch", false),
    ] {
        // Given an answer for which the client grants no room, or not enough
        let (running, gone) = start(&[]).await;
        let mut client = client(&running, room).await;
        let answer = call(&mut client, method, "100m", once).await;

        // When its deadline passes
        let let_go = tokio::time::timeout(PATIENCE, gone.notified()).await;

        // Then the service has let go of it and says so
        let_go.unwrap_or_else(|_| panic!("held for {method} with room {room}"));
        let mut body = answer.into_body();
        let reset = async {
            loop {
                match body.data().await.expect("not the end") {
                    Ok(_) => {}
                    Err(reset) => break reset,
                }
            }
        };
        let reset = tokio::time::timeout(PATIENCE, reset).await;
        let reset = reset.unwrap_or_else(|_| panic!("kept for {method} with room {room}"));
        assert_eq!(reset.reason(), Some(h2::Reason::CANCEL), "{reset:?}");
        assert_eq!(streams(&running).await, 0);
        // And the connection serves on
        let other = call(&mut client, "Short", "20S", false).await;
        let status = Status::from_header_map(other.headers()).expect("a status");
        assert_eq!(status.code(), Code::NotFound);
        let elsewhere = connect(running.addr()).await;
        let elsewhere = unary(&elsewhere, "Short", String::new()).await;
        assert_eq!(elsewhere.expect_err("refused").code(), Code::NotFound);
    }
}

/// The streams that the service holds.
async fn streams(running: &Running) -> u64 {
    let (_, state) = page(running.admin_addr(), "/mesh").await;
    let state: serde_json::Value = serde_json::from_str(&state).expect("json");
    state["admission"]["streams"].as_u64().expect("a number")
}
