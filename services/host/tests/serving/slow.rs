//! Clients that are slow or say nothing do not keep what they hold.

use crate::pki::{self, Authority};
use crate::rig::{connect, host, reply, text_of};
use bytes::Bytes;
use cleave_host::Running;
use futures::{StreamExt as _, stream};
use http_body::Frame;
use http_body_util::StreamBody;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tonic::body::Body;
use tonic::{Code, Status};
use tower::{Service as _, ServiceExt as _};

const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";
const SETTINGS: &[u8] = &[0, 0, 0, 4, 0, 0, 0, 0, 0];
/// The head of a HEADERS frame of 100 bytes for stream 1, and no more.
const HALF_HEADERS: &[u8] = &[0, 0, 100, 1, 4, 0, 0, 0, 1, 0x82];
/// A whole HEADERS frame whose list goes on in a CONTINUATION that never comes.
const ENDLESS_HEADERS: &[u8] = &[0, 0, 1, 1, 0, 0, 0, 0, 1, 0x82];

async fn start(changes: &[(&str, &str)]) -> Running {
    let handler = |request| async {
        match text_of(request).await {
            Ok(text) => reply(&text),
            Err(status) => status.into_http(),
        }
    };
    host(changes, handler).start().await.expect("started")
}

/// Says so much and no more; returns once the other side hangs up.
async fn say(running: &Running, words: &[&[u8]]) {
    let mut stream = TcpStream::connect(running.addr()).await.expect("connected");
    for word in words {
        stream.write_all(word).await.expect("written");
    }
    let mut answer = Vec::new();
    // Hanging up may show as an error as well.
    let _ = stream.read_to_end(&mut answer).await;
}

#[tokio::test]
async fn a_client_that_does_not_begin_is_cut() {
    let running = start(&[("host.handshake_timeout", "50ms")]).await;
    say(&running, &[]).await;
    say(&running, &[&PREFACE[..10]]).await;
}

#[tokio::test]
async fn a_client_that_does_not_shake_hands_is_cut() {
    let authority = Authority::new();
    let files = authority.files(pki::SERVER);
    let tls = files.settings();
    let mut settings: Vec<_> = tls
        .iter()
        .map(|(key, value)| (*key, value.as_str()))
        .collect();
    settings.push(("host.handshake_timeout", "50ms"));
    let running = start(&settings).await;
    say(&running, &[]).await;
    // The head of a TLS record of 200 bytes.
    say(&running, &[&[22, 3, 1, 0, 200, 1]]).await;
}

#[tokio::test]
async fn a_client_whose_headers_do_not_arrive_is_cut() {
    let pings = [
        ("host.keepalive_interval", "50ms"),
        ("host.keepalive_timeout", "50ms"),
    ];
    let running = start(&pings).await;
    say(&running, &[PREFACE, SETTINGS, HALF_HEADERS]).await;
    say(&running, &[PREFACE, SETTINGS, ENDLESS_HEADERS]).await;
    say(&running, &[PREFACE, SETTINGS]).await;
}

#[tokio::test]
async fn a_call_whose_message_does_not_arrive_is_over() {
    let running = start(&[("host.message_timeout", "50ms")]).await;
    let half = Bytes::from_static(&[0, 0, 0, 0, 9, 10]);
    for pieces in [vec![], vec![half]] {
        let frames = stream::iter(pieces).map(|piece| Ok::<_, Status>(Frame::data(piece)));
        let body = Body::new(StreamBody::new(frames.chain(stream::pending())));
        let request = http::Request::post("/test.Script/Call")
            .header("content-type", "application/grpc")
            .body(body)
            .expect("request");
        let mut channel = connect(running.addr()).await;

        let response = channel.ready().await.expect("ready").call(request).await;

        let status = Status::from_header_map(response.expect("answer").headers());
        let status = status.expect("a status");
        assert_eq!(status.code(), Code::DeadlineExceeded, "{status:?}");
        assert!(status.message().contains("did not arrive"), "{status:?}");
    }
}

#[tokio::test]
async fn a_stream_may_be_silent_between_its_messages() {
    let running = host(&[("host.message_timeout", "30ms")], |request| async {
        use http_body_util::BodyExt as _;
        let mut body = request.into_body();
        let first = body.frame().await.expect("a frame").expect("whole");
        // Far beyond the limit on a message under way.
        let second =
            tokio::time::timeout(std::time::Duration::from_millis(150), body.frame()).await;
        let silent = second.is_err();
        reply(&format!(
            "{} {silent}",
            first.data_ref().map_or(0, Bytes::len)
        ))
    })
    .start()
    .await
    .expect("started");
    let whole = Bytes::from_static(&[0, 0, 0, 0, 0]);
    let frames = stream::iter([Ok::<_, Status>(Frame::data(whole))]).chain(stream::pending());
    let request = http::Request::post("/test.Script/Watch")
        .header("content-type", "application/grpc")
        .body(Body::new(StreamBody::new(frames)))
        .expect("request");
    let mut channel = connect(running.addr()).await;

    let response = channel.ready().await.expect("ready").call(request).await;

    let body = http_body_util::BodyExt::collect(response.expect("answer").into_body()).await;
    let bytes = body.expect("body").to_bytes();
    let text: String = prost::Message::decode(&bytes[5..]).expect("message");
    assert_eq!(text, "5 true");
}
