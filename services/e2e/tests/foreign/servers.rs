//! The mesh as the client of servers that are not ours: Python's grpcio.

use crate::tools::{Script, Tools};
use anyhow::{Context, Result};
use cleave_mesh::policy::{Code, Idempotency, MethodPolicy, PolicyTable, RetryPolicy};
use cleave_mesh::{CallError, Mesh, MeshChannel, Tuning};
use serde_json::{Value, json};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;
use tonic::codec::CompressionEncoding::Gzip;
use tonic::{Request, Status};
use tonic_prost::ProstCodec;

/// A server of grpcio that stops cancels the calls that it has received and not begun, so that its clients, its own
/// kind too, repeat them only if their policy names that code.
const RETRY: RetryPolicy = RetryPolicy {
    max_attempts: 4,
    codes: &[Code::Unavailable, Code::Cancelled],
    initial_backoff: Duration::from_millis(10),
    max_backoff: Duration::from_millis(100),
    multiplier_percent: 200,
};

/// What the scripted server promises.
static POLICIES: PolicyTable = PolicyTable::new(&[
    MethodPolicy {
        server_streaming: true,
        ..MethodPolicy::new("/test.Script/Follow")
    },
    MethodPolicy {
        timeout: Some(Duration::from_secs(20)),
        idempotency: Idempotency::NoSideEffects,
        retry: Some(RETRY),
        ..MethodPolicy::new("/test.Script/Read")
    },
    MethodPolicy {
        timeout: Some(Duration::from_secs(20)),
        ..MethodPolicy::new("/test.Script/Write")
    },
]);

/// A Python server with these options, and its address.
async fn python(tools: &Tools, options: Value) -> Result<(Script, String)> {
    let mut script = tools.server(&options)?;
    let told = script.answer().await?;
    Ok((script, format!("http://127.0.0.1:{}", told["port"])))
}

/// A mesh that calls the servers at these addresses, and connects again sooner than it would by itself.
fn mesh(addresses: &str) -> Result<MeshChannel> {
    let tuning = Tuning {
        first_backoff: Duration::from_millis(100),
        max_backoff: Duration::from_millis(500),
        ..Tuning::default()
    };
    let mesh = Mesh::builder(POLICIES).caller("tester");
    let mesh = mesh.peer("script", addresses).tuning(tuning).build()?;
    Ok(mesh.to("script")?)
}

/// Makes a unary call, whose request and answer are compressed if `gzip` says so.
async fn call(
    channel: &MeshChannel,
    method: &str,
    script: Value,
    gzip: bool,
) -> Result<tonic::Response<String>, Status> {
    let mut grpc = tonic::client::Grpc::new(channel.clone());
    if gzip {
        grpc = grpc.send_compressed(Gzip).accept_compressed(Gzip);
    }
    let path = format!("/test.Script/{method}").try_into();
    let path = path.map_err(|_| Status::internal("no path"))?;
    let mut request = Request::new(script.to_string());
    if let Some(timeout) = script["timeout"].as_u64() {
        request.set_timeout(Duration::from_millis(timeout));
    }
    let codec = ProstCodec::<String, String>::default();
    grpc.unary(request, path, codec).await
}

/// What the server saw of a call.
fn seen(answer: &tonic::Response<String>) -> Result<Value> {
    Ok(serde_json::from_str(answer.get_ref())?)
}

#[tokio::test(flavor = "multi_thread")]
async fn given_a_python_server_when_called_then_it_sees_what_the_mesh_promises() -> Result<()> {
    let Some(tools) = Tools::find("a Python server's view of a call") else {
        return Ok(());
    };
    let (_server, address) = python(&tools, json!([])).await?;
    let channel = mesh(&address)?;
    let answer = call(&channel, "Read", json!({"timeout": 5_000}), false).await?;
    let seen = seen(&answer)?;
    let remaining = seen["remaining"].as_f64().unwrap_or_default();
    assert!(remaining > 1.0 && remaining <= 5.0, "{seen}");
    let metadata = &seen["metadata"];
    assert_eq!(metadata["cleave-hops"], "tester;retries", "{seen}");
    assert!(metadata["traceparent"].is_string(), "{seen}");
    assert!(metadata["grpc-previous-rpc-attempts"].is_null(), "{seen}");

    // Both ways compressed, and larger than a frame of HTTP/2.
    let script = json!({"gzip": true, "size": 100_000, "note": "y".repeat(100_000)});
    let answer = call(&channel, "Read", script, true).await?;
    let encoding = answer.metadata().get("grpc-encoding");
    assert_eq!(encoding.map(|value| value.as_bytes()), Some(&b"gzip"[..]));
    assert!(answer.get_ref().len() > 100_000);
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn given_failures_of_a_python_server_when_called_then_policy_and_status_decide() -> Result<()>
{
    let Some(tools) = Tools::find("a Python server's failures") else {
        return Ok(());
    };
    let (mut server, address) = python(&tools, json!([])).await?;
    let channel = mesh(&address)?;
    // Retries are bounded by the calls that went before.
    for _ in 0..20 {
        call(&channel, "Read", json!({}), false).await?;
    }

    // A failure in headers alone, and one in trailers after headers: both are repeated.
    for (key, headers) in [("headers", false), ("trailers", true)] {
        let script =
            json!({"key": key, "headers": headers, "fail": ["UNAVAILABLE", "UNAVAILABLE"]});
        let answer = call(&channel, "Read", script, false).await?;
        let previous = &seen(&answer)?["metadata"]["grpc-previous-rpc-attempts"];
        assert_eq!(previous, "2", "{key}");
    }
    // What may not be repeated is not; and what the server forbids.
    let cases = [
        ("once", "Write", json!({"fail": ["UNAVAILABLE"]})),
        (
            "final",
            "Read",
            json!({"fail": ["FAILED_PRECONDITION"], "reason": "TOO_EARLY", "message": "not yet"}),
        ),
        (
            "never",
            "Read",
            json!({"fail": ["UNAVAILABLE"], "pushback": -1}),
        ),
    ];
    for (key, method, mut script) in cases {
        script["key"] = json!(key);
        let status = call(&channel, method, script.clone(), false).await;
        let status = status.err().with_context(|| format!("{key} fails"))?;
        let expected = match key {
            "final" => tonic::Code::FailedPrecondition,
            _ => tonic::Code::Unavailable,
        };
        assert_eq!(status.code(), expected, "{key}: {status}");
        if key == "final" {
            let error = CallError::from(status);
            assert_eq!(error.message, "not yet");
            assert!(error.is_reason("TOO_EARLY"), "{error:?}");
            assert_eq!(error.domain.as_deref(), Some("script.test"));
        }
    }
    // A deadline is the same on both sides; whichever says so first.
    let channel = mesh(&address)?;
    let script = json!({"key": "slow", "sleep": 20, "timeout": 300});
    let status = call(&channel, "Write", script, false).await.err();
    let status = status.context("too slow")?;
    assert_eq!(status.code(), tonic::Code::DeadlineExceeded, "{status}");
    let told = loop {
        let told = server.ask(json!({"seen": true})).await?;
        if told["cancelled"] == json!(["slow"]) {
            break told;
        }
    };
    let expected =
        json!({"": 20, "headers": 3, "trailers": 3, "once": 1, "final": 1, "never": 1, "slow": 1});
    for (key, count) in told["attempts"].as_object().context("counts")? {
        assert_eq!(*count, expected[key], "{key}");
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn given_a_stream_of_a_python_server_when_it_fails_then_all_before_is_read() -> Result<()> {
    let Some(tools) = Tools::find("a Python server's streams") else {
        return Ok(());
    };
    let (_server, address) = python(&tools, json!([])).await?;
    let mut grpc = tonic::client::Grpc::new(mesh(&address)?);
    let script = json!({"count": 500, "end": "DATA_LOSS", "reason": "TORN"}).to_string();
    let path = tonic::codegen::http::uri::PathAndQuery::from_static("/test.Script/Follow");
    let codec = ProstCodec::<String, String>::default();
    let opened = grpc
        .server_streaming(Request::new(script), path, codec)
        .await?;
    let mut stream = opened.into_inner();
    let mut count = 0;
    let status = loop {
        match stream.message().await {
            Ok(Some(text)) => assert_eq!(text, count.to_string()),
            Ok(None) => anyhow::bail!("it ends well after {count}"),
            Err(status) => break status,
        }
        count += 1;
    };
    assert_eq!((count, status.code()), (500, tonic::Code::DataLoss));
    assert!(CallError::from(status).is_reason("TORN"));
    Ok(())
}

/// Callers that read without a pause until they are stopped.
struct Load {
    stop: Arc<AtomicBool>,
    made: Arc<AtomicUsize>,
    callers: Vec<tokio::task::JoinHandle<Option<Status>>>,
}

impl Load {
    fn start(channel: &MeshChannel) -> Self {
        let (stop, made) = (
            Arc::new(AtomicBool::new(false)),
            Arc::new(AtomicUsize::new(0)),
        );
        let caller = |_| {
            let (stop, made, channel) = (stop.clone(), made.clone(), channel.clone());
            tokio::spawn(async move {
                while !stop.load(Ordering::Relaxed) {
                    if let Err(status) = call(&channel, "Read", json!({}), false).await {
                        return Some(status);
                    }
                    made.fetch_add(1, Ordering::Relaxed);
                }
                None
            })
        };
        Self {
            callers: (0..8).map(caller).collect(),
            stop,
            made,
        }
    }

    /// Waits until so many more calls were answered, or none is any more.
    async fn more(&self, calls: usize) {
        let goal = self.made.load(Ordering::Relaxed) + calls;
        cleave_e2e::until::holds("calls are answered", || async {
            self.made.load(Ordering::Relaxed) >= goal
                || self
                    .callers
                    .iter()
                    .all(tokio::task::JoinHandle::is_finished)
        })
        .await;
    }

    /// The failures that callers saw.
    async fn stop(self) -> Result<Vec<Status>> {
        self.stop.store(true, Ordering::Relaxed);
        let mut failures = Vec::new();
        for caller in self.callers {
            failures.extend(caller.await?);
        }
        Ok(failures)
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn given_python_servers_when_they_restart_in_good_order_then_no_call_fails() -> Result<()> {
    let Some(tools) = Tools::find("Python servers that stop in good order") else {
        return Ok(());
    };
    let (mut one, first) = python(&tools, json!([])).await?;
    let (mut two, second) = python(&tools, json!([])).await?;
    let load = Load::start(&mesh(&format!("{first},{second}"))?);
    load.more(100).await;
    for _ in 0..3 {
        for server in [&mut one, &mut two] {
            server.ask(json!({"stop": 10})).await?;
            load.more(30).await;
            server.ask(json!({"start": true})).await?;
            load.more(100).await;
        }
    }
    let failures = load.stop().await?;
    assert!(failures.is_empty(), "{failures:?}");
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn given_a_python_server_when_connections_are_short_lived_then_no_call_fails() -> Result<()> {
    let Some(tools) = Tools::find("GOAWAY by a Python server") else {
        return Ok(());
    };
    let age = json!([
        ["grpc.max_connection_age_ms", 200],
        ["grpc.max_connection_age_grace_ms", 5_000]
    ]);
    let (_server, address) = python(&tools, age).await?;
    let load = Load::start(&mesh(&address)?);
    load.more(500).await;
    let failures = load.stop().await?;
    assert!(failures.is_empty(), "{failures:?}");
    Ok(())
}
