//! What a viewer of the tap sees, and what it never does.

use crate::rig::{connect, host, page, reply, unary, watch};
use bytes::Bytes;
use cleave_host::Running;
use http_body_util::{BodyExt as _, Empty};
use hyper::body::Incoming;
use hyper_util::client::legacy::Client;
use hyper_util::rt::TokioExecutor;
use serde_json::{Value, json};
use std::net::SocketAddr;
use std::time::Duration;
use tonic::{Request, Status};

const CONTRACT: &str = r#"
syntax = "proto3";
package test;
message Question { string value = 1; }
message Answer { string value = 1 [debug_redact = true]; }
service Script {
  rpc Call(Question) returns (Answer);
  rpc Short(Question) returns (Answer);
  rpc Watch(Question) returns (stream Answer);
}
"#;

/// How long anything here may take.
const PATIENCE: Duration = Duration::from_secs(20);

/// A service that refuses "no" and answers "a secret" to all else, with its contract.
async fn start() -> Running {
    let folder = tempfile::tempdir().expect("a folder");
    std::fs::write(folder.path().join("test.proto"), CONTRACT).expect("a file");
    let mut compiler = protox::Compiler::new([folder.path()]).expect("a compiler");
    compiler.include_imports(true);
    compiler.open_file("test.proto").expect("a sound contract");
    let running = host(&[], |request| async move {
        if request.headers().contains_key("x-refuse") {
            return Status::not_found("no").into_http();
        }
        let _ = request.into_body().collect().await;
        reply("a secret")
    })
    .descriptors(compiler.encode_file_descriptor_set().leak())
    .start()
    .await
    .expect("started");
    running.ready().await;
    running
}

/// A viewer at its place.
struct Viewer {
    body: Incoming,
    buffer: String,
}

impl Viewer {
    async fn new(admin: SocketAddr, query: &str) -> Self {
        let client = Client::builder(TokioExecutor::new()).build_http::<Empty<Bytes>>();
        let uri = format!("http://{admin}/tap?{query}").parse().expect("uri");
        let answer = tokio::time::timeout(PATIENCE, client.get(uri)).await;
        let answer = answer.expect("in time").expect("an answer");
        assert_eq!(answer.status(), 200);
        Self {
            body: answer.into_body(),
            buffer: String::new(),
        }
    }

    /// The next line; `None` at the end of the stream.
    async fn line(&mut self) -> Option<Value> {
        loop {
            if let Some((line, rest)) = self.buffer.split_once('\n') {
                let value = serde_json::from_str(line).expect("JSON");
                self.buffer = rest.to_owned();
                return Some(value);
            }
            let frame = tokio::time::timeout(PATIENCE, self.body.frame()).await;
            let data = frame.expect("in time")?.expect("a piece").into_data();
            let data = data.expect("data").to_vec();
            self.buffer
                .push_str(&String::from_utf8(data).expect("text"));
        }
    }
}

fn from(caller: &'static str, text: &str) -> Request<String> {
    let mut request = Request::new(text.to_owned());
    let caller = caller.parse().expect("a value");
    request.metadata_mut().insert("cleave-hops", caller);
    request
}

#[tokio::test]
async fn given_a_viewer_when_a_call_ends_then_it_sees_the_call_without_what_is_marked() {
    let running = start().await;
    let mut viewer = Viewer::new(running.admin_addr(), "limit=1").await;
    let channel = connect(running.addr()).await;
    unary(&channel, "Call", from("operations", "how much?"))
        .await
        .expect("an answer");
    let call = viewer.line().await.expect("a call");
    assert_eq!(call["method"], "test.Script/Call");
    assert_eq!(call["caller"], "operations");
    assert_eq!(call["code"], "OK");
    assert_eq!(call["request"]["messages"], json!([{"value": "how much?"}]));
    assert_eq!(
        call["response"]["messages"],
        json!([{"value": "[redacted]"}])
    );
    assert!(!call.to_string().contains("a secret"), "{call}");
    assert_eq!(viewer.line().await, None, "one was asked for");
}

#[tokio::test]
async fn given_a_filter_when_calls_end_then_only_those_asked_for_are_seen() {
    let running = start().await;
    let query = "method=Script/Call&caller=billing&code=NOT_FOUND,UNAVAILABLE";
    let mut viewer = Viewer::new(running.admin_addr(), query).await;
    let channel = connect(running.addr()).await;
    let refused = |caller| {
        let mut request = from(caller, "no");
        let yes = "1".parse().expect("a value");
        request.metadata_mut().insert("x-refuse", yes);
        request
    };
    unary(&channel, "Call", from("billing", "fine"))
        .await
        .expect("an answer");
    unary(&channel, "Call", refused("operations"))
        .await
        .expect_err("refused");
    unary(&channel, "Short", refused("billing"))
        .await
        .expect_err("refused");
    let mut stream = watch(&channel, from("billing", "look"))
        .await
        .expect("a stream");
    while let Ok(Some(_)) = stream.message().await {}
    unary(&channel, "Call", refused("billing"))
        .await
        .expect_err("refused");
    let call = viewer.line().await.expect("a call");
    assert_eq!(
        (&call["method"], &call["caller"], &call["code"]),
        (
            &json!("test.Script/Call"),
            &json!("billing"),
            &json!("NOT_FOUND")
        )
    );
}

#[tokio::test]
async fn given_a_viewer_that_does_not_read_when_calls_go_on_then_they_are_not_held_up_and_it_is_told_of_its_loss()
 {
    let running = start().await;
    let mut viewer = Viewer::new(running.admin_addr(), "").await;
    let channel = connect(running.addr()).await;
    // The viewer's end of the service runs on this thread, which waits for a client on another one.
    let (address, (ready, is_ready)) = (running.addr(), tokio::sync::oneshot::channel());
    let client = std::thread::spawn(move || {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .expect("a runtime");
        runtime.block_on(async {
            let channel = connect(address).await;
            let call = |text| unary(&channel, "Call", from("operations", text));
            call("connected").await.expect("an answer");
            ready.send(()).expect("somebody waits");
            for _ in 0..200 {
                call("more than wait for a viewer")
                    .await
                    .expect("an answer");
            }
        });
    });
    is_ready.await.expect("a client");
    client.join().expect("no call was held up");
    let mut seen = 0;
    let lost = loop {
        let line = viewer.line().await.expect("a line");
        if let Some(lost) = line["lost"].as_u64() {
            break lost;
        }
        seen += 1;
        // Loss is told with the next call that is seen.
        let call = unary(&channel, "Call", from("operations", "again"));
        call.await.expect("an answer");
    };
    assert!(lost > 0, "{seen} seen");
}

#[tokio::test]
async fn given_queries_that_cannot_be_then_they_are_refused() {
    let running = start().await;
    for query in ["code=FINE", "min_ms=soon", "methd=Call"] {
        let (code, text) = page(running.admin_addr(), &format!("/tap?{query}")).await;
        assert_eq!(code, 400, "{query}: {text}");
    }
}

#[tokio::test]
async fn given_as_many_viewers_as_may_be_when_one_leaves_then_there_is_a_place() {
    let running = start().await;
    let admin = running.admin_addr();
    let mut viewers = Vec::new();
    for _ in 0..4 {
        viewers.push(Viewer::new(admin, "").await);
    }
    let (code, text) = page(admin, "/tap").await;
    assert_eq!(code, 429, "{text}");
    viewers.pop();
    let waited = async {
        // With a limit of none the stream ends at once.
        while page(admin, "/tap?limit=0").await.0 != 200 {
            crate::rig::rest().await;
        }
    };
    tokio::time::timeout(PATIENCE, waited)
        .await
        .expect("a place");
}
