//! Bad input and broken handlers harm one call at most.

use crate::rig::{connect, message, reply, respond, start, text_of, trailers, unary, watch};
use futures::{StreamExt as _, stream};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tonic::metadata::AsciiMetadataValue;
use tonic::{Code, Request, Status};

const LIMIT: usize = 4 * 1024 * 1024;
/// Tag and length that go before a string of about the limit.
const OVERHEAD: usize = 5;

#[tokio::test]
async fn a_request_of_the_limit_passes_and_one_more_byte_does_not() {
    let running = start(|request| async {
        match text_of(request).await {
            Ok(text) => reply(&text.len().to_string()),
            Err(status) => status.into_http(),
        }
    })
    .await;
    let channel = connect(running.addr()).await;

    let fits = unary(&channel, "Call", "x".repeat(LIMIT - OVERHEAD))
        .await
        .expect("answer");
    assert_eq!(fits, (LIMIT - OVERHEAD).to_string());

    let status = unary(&channel, "Call", "x".repeat(LIMIT - OVERHEAD + 1)).await;
    let status = status.expect_err("refused");
    assert_eq!(status.code(), Code::ResourceExhausted);
    assert!(status.message().contains("4194304"), "{status:?}");
    assert_eq!(pushback(&status), Some("-1"));
}

/// When the caller is told to come back.
fn pushback(status: &Status) -> Option<&str> {
    let told = status.metadata().get("grpc-retry-pushback-ms")?;
    Some(told.to_str().expect("text"))
}

#[tokio::test]
async fn an_answer_beyond_the_limit_is_refused_here_already() {
    let running = start(|_| async { reply(&"x".repeat(LIMIT)) }).await;

    let status = unary(&connect(running.addr()).await, "Call", String::new()).await;

    let status = status.expect_err("refused");
    assert_eq!(status.code(), Code::ResourceExhausted);
    assert_eq!(pushback(&status), Some("-1"));
}

#[tokio::test]
async fn a_panic_ends_its_own_call_alone() {
    let running = start(|request: http::Request<_>| async move {
        match request.headers().get("x-do").map(|value| value.as_bytes()) {
            Some(b"panic") => panic!("as the test asked"),
            Some(b"panic later") => respond(
                stream::iter([1, 2])
                    .map(|n| {
                        if n == 1 {
                            message("first")
                        } else {
                            panic!("as the test asked")
                        }
                    })
                    .boxed(),
            ),
            _ => reply("fine"),
        }
    })
    .await;
    let channel = connect(running.addr()).await;
    let asking = |what: &'static str| {
        let mut request = Request::new(String::new());
        request
            .metadata_mut()
            .insert("x-do", AsciiMetadataValue::from_static(what));
        request
    };

    let status = unary(&channel, "Call", asking("panic"))
        .await
        .expect_err("panicked");
    assert_eq!(status.code(), Code::Internal);

    let mut stream = watch(&channel, asking("panic later"))
        .await
        .expect("stream");
    assert_eq!(
        stream.message().await.expect("first"),
        Some("first".to_owned())
    );
    assert_eq!(
        stream.message().await.expect_err("panicked").code(),
        Code::Internal
    );

    assert_eq!(
        unary(&channel, "Call", asking("nothing"))
            .await
            .expect("answer"),
        "fine"
    );
}

#[tokio::test]
async fn metadata_that_is_not_text_is_refused_by_name() {
    let running = start(|_| async { reply("never") }).await;
    let mut request = Request::new(String::new());
    let mut headers = http::HeaderMap::new();
    let value = http::HeaderValue::from_bytes("naïve".as_bytes()).expect("value");
    headers.insert("x-note", value);
    *request.metadata_mut() = tonic::metadata::MetadataMap::from_headers(headers);

    let status = unary(&connect(running.addr()).await, "Call", request).await;

    let status = status.expect_err("refused");
    assert_eq!(status.code(), Code::InvalidArgument);
    assert!(status.message().contains("x-note"), "{status:?}");
}

#[tokio::test]
async fn too_much_metadata_is_refused_with_the_limit() {
    let running = start(|_| async { reply("never") }).await;
    let mut request = Request::new(String::new());
    let note = AsciiMetadataValue::try_from("x".repeat(20_000)).expect("value");
    request.metadata_mut().insert("x-note", note);

    let status = unary(&connect(running.addr()).await, "Call", request).await;

    let status = status.expect_err("refused");
    assert_eq!(status.code(), Code::ResourceExhausted);
    assert!(status.message().contains("16384"), "{status:?}");
    assert_eq!(pushback(&status), Some("-1"));
}

#[tokio::test]
async fn a_method_that_does_not_exist_is_unimplemented() {
    let running = start(|_| async { reply("never") }).await;
    let channel = connect(running.addr()).await;
    let mut grpc = tonic::client::Grpc::new(channel);
    grpc.ready().await.expect("ready");
    let path = http::uri::PathAndQuery::from_static("/test.Nothing/Call");
    let codec = tonic_prost::ProstCodec::<String, String>::default();

    let status = grpc.unary(Request::new(String::new()), path, codec).await;

    assert_eq!(status.expect_err("refused").code(), Code::Unimplemented);
}

#[tokio::test]
async fn bytes_that_are_no_http_harm_nobody() {
    let running = start(|_| async { reply("fine") }).await;
    let mut stream = tokio::net::TcpStream::connect(running.addr())
        .await
        .expect("connected");
    stream
        .write_all(b"GET / HTTP/1.1\r\nhost: x\r\n\r\n")
        .await
        .expect("written");
    let mut answer = Vec::new();
    // The host hangs up, one way or the other.
    let _ = stream.read_to_end(&mut answer).await;

    let fine = unary(&connect(running.addr()).await, "Call", String::new()).await;
    assert_eq!(fine.expect("answer"), "fine");
}

#[tokio::test]
async fn a_truncated_message_is_an_error_not_a_panic() {
    let running = start(|request| async {
        match text_of(request).await {
            Ok(text) => reply(&text),
            Err(status) => status.into_http(),
        }
    })
    .await;
    let channel = connect(running.addr()).await;
    // The trailers of an answer cut off in the middle of its message.
    let cut = start(|_| async {
        let half = http_body::Frame::data(bytes::Bytes::from_static(&[0, 0, 0, 0, 9, 1]));
        respond(stream::iter([half, trailers(Code::Ok)]).boxed())
    })
    .await;

    let status = unary(&connect(cut.addr()).await, "Call", String::new()).await;
    assert_eq!(status.expect_err("cut off").code(), Code::Internal);
    assert_eq!(
        unary(&channel, "Call", "whole".to_owned())
            .await
            .expect("answer"),
        "whole"
    );
}

#[tokio::test]
async fn plaintext_beyond_loopback_must_be_asked_for_by_name() {
    let outside = [("host.listen", "0.0.0.0:0")];
    let allowed = [
        ("host.listen", "0.0.0.0:0"),
        ("host.allow_plaintext", "true"),
    ];
    let handler = |_| async { reply("fine") };

    let refused = crate::rig::host(&outside, handler).start().await;
    assert!(
        refused
            .expect_err("refused")
            .to_string()
            .contains("host.allow_plaintext")
    );

    let running = crate::rig::host(&allowed, handler)
        .start()
        .await
        .expect("started");
    assert!(running.shutdown().await.clean);
}
