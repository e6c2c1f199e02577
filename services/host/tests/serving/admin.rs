//! What the admin port tells.

use crate::rig::{POLICIES, connect, host, page, put, reply, start, unary};
use cleave_mesh::Mesh;
use cleave_mesh::policy::{MethodPolicy, PolicyTable};
use serde_json::{Value, json};
use std::time::Duration;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tonic::Status;

#[tokio::test]
async fn calls_are_counted_under_the_names_of_grpc() {
    let running = host(&[], |request| async move {
        match request.headers().get("x-refuse") {
            Some(_) => Status::not_found("no").into_http(),
            None => reply("fine"),
        }
    })
    .start()
    .await
    .expect("started");
    let channel = connect(running.addr()).await;
    unary(&channel, "Call", "four".to_owned())
        .await
        .expect("answer");
    let mut refused = tonic::Request::new(String::new());
    refused
        .metadata_mut()
        .insert("x-refuse", "1".parse().expect("value"));
    unary(&channel, "Call", refused).await.expect_err("refused");

    let mesh = Mesh::builder(POLICIES)
        .peer("self", &running.addr().to_string())
        .build();
    let client = mesh.expect("mesh").to("self").expect("peer");
    let mut grpc = tonic::client::Grpc::new(client);
    let path = http::uri::PathAndQuery::from_static("/test.Script/Call");
    let codec = tonic_prost::ProstCodec::<String, String>::default();
    grpc.unary(tonic::Request::new(String::new()), path, codec)
        .await
        .expect("answer");

    let (code, text) = page(running.admin_addr(), "/metrics").await;
    assert_eq!(code, 200);
    for line in [
        "grpc_server_call_started{grpc_method=\"test.Script/Call\",caller=\"other\"}",
        "grpc_server_call_duration_count{grpc_method=\"test.Script/Call\",grpc_status=\"OK\",caller=\"other\"}",
        "grpc_server_call_duration_count{grpc_method=\"test.Script/Call\",grpc_status=\"NOT_FOUND\",caller=\"other\"}",
        "grpc_server_call_rcvd_total_compressed_message_size_bucket",
        "grpc_server_call_duration_bucket{grpc_method=\"test.Script/Call\",grpc_status=\"OK\",caller=\"other\",le=\"0.00001\"}",
        "grpc_client_attempt_started{grpc_method=\"test.Script/Call\",grpc_target=\"self\"}",
        "grpc_client_call_duration_count{grpc_method=\"test.Script/Call\",grpc_target=\"self\",grpc_status=\"OK\"}",
    ] {
        assert!(text.contains(line), "{line} is not in:\n{text}");
    }
}

#[tokio::test]
async fn readiness_and_state_are_told() {
    let running = host(&[], |_| async { reply("fine") })
        .readiness("database", || async {
            anyhow::bail!("the database is away")
        })
        .state("leases", || json!({ "live": 3 }))
        .start()
        .await
        .expect("started");
    let admin = running.admin_addr();

    // The first probe may still be out; what it finds shows up in the state.
    let state = loop {
        let (_, text) = page(admin, "/mesh").await;
        let state: Value = serde_json::from_str(&text).expect("json");
        if state["probes"]
            .as_array()
            .is_some_and(|probes| !probes.is_empty())
        {
            break state;
        }
        tokio::task::yield_now().await;
    };

    assert_eq!(state["service"], "test");
    assert_eq!(state["leases"]["live"], 3);
    assert_eq!(state["probes"][0]["problem"], "the database is away");
    assert_eq!(page(admin, "/readyz").await.0, 503);
    assert_eq!(page(admin, "/healthz").await.0, 200);
    assert!(page(admin, "/").await.1.contains("/metrics"));
}

#[tokio::test]
async fn what_is_logged_can_be_changed_while_the_service_runs() {
    use cleave_host::config::{LogFormat, OtlpSettings, TelemetrySettings};
    cleave_host::telemetry::init(&TelemetrySettings {
        level: "off".to_owned(),
        format: LogFormat::Json,
        figures: std::time::Duration::from_secs(10),
        otlp: OtlpSettings::default(),
    });
    let running = start(|_| async { reply("fine") }).await;
    let at = running.admin_addr();
    let enabled = || tracing::enabled!(target: "probe_of_the_log", tracing::Level::DEBUG);
    assert!(!enabled());

    let (code, text) = put(at, "/log", "off,probe_of_the_log=debug").await;

    assert_eq!(code, 200, "{text}");
    assert!(enabled());
    let (_, text) = page(at, "/log").await;
    assert!(text.contains("probe_of_the_log=debug"), "{text}");
    let (code, text) = put(at, "/log", "not=a=level").await;
    assert_eq!(code, 400, "{text}");
    assert!(enabled());
}

/// The design's names, labels and buckets (A66), as dashboards of other gRPC servers expect them.
#[tokio::test]
async fn given_a_call_then_each_metric_of_the_design_has_its_name_its_labels_and_its_buckets() {
    const LATENCIES: &str = "0 0.00001 0.00005 0.0001 0.0003 0.0006 0.0008 0.001 0.002 0.003 0.004 \
        0.005 0.006 0.008 0.01 0.013 0.016 0.02 0.025 0.03 0.04 0.05 0.065 0.08 0.1 0.13 0.16 0.2 0.25 \
        0.3 0.4 0.5 0.65 0.8 1 2 5 10 20 50 100 +Inf";
    const SIZES: &str = "0 1024 2048 4096 16384 65536 262144 1048576 4194304 16777216 67108864 \
        268435456 1073741824 4294967296 17179869184 +Inf";
    let running = start(|_| async { Status::data_loss("for this test alone").into_http() }).await;
    let channel = connect(running.addr()).await;
    unary(&channel, "Short", String::new())
        .await
        .expect_err("refused");

    let (_, text) = page(running.admin_addr(), "/metrics").await;

    let ended = "grpc_method=\"test.Script/Short\",grpc_status=\"DATA_LOSS\",caller=\"other\"";
    assert!(
        text.contains("# TYPE grpc_server_call_started counter"),
        "{text}"
    );
    let started = "grpc_server_call_started{grpc_method=\"test.Script/Short\",caller=\"other\"} ";
    assert!(text.contains(started), "{text}");
    for (name, buckets) in [
        ("grpc_server_call_duration", LATENCIES),
        ("grpc_server_call_sent_total_compressed_message_size", SIZES),
        ("grpc_server_call_rcvd_total_compressed_message_size", SIZES),
    ] {
        assert!(text.contains(&format!("# TYPE {name} histogram")), "{name}");
        let bucket = format!("{name}_bucket{{{ended},le=\"");
        let found: Vec<&str> = text
            .lines()
            .filter_map(|line| line.strip_prefix(&bucket)?.split('"').next())
            .collect();
        let expected: Vec<&str> = buckets.split_whitespace().collect();
        assert_eq!(found, expected, "{name}");
        assert!(
            text.contains(&format!("{name}_count{{{ended}}} 1")),
            "{name}"
        );
    }
}

#[tokio::test]
async fn given_several_callers_then_those_that_the_contract_names_are_told_apart_and_no_others() {
    static NAMED: PolicyTable = PolicyTable::new(&[
        MethodPolicy {
            callers: &["operations", "cleave"],
            ..MethodPolicy::new("/test.Script/Edge")
        },
        MethodPolicy {
            callers: &["billing"],
            ..MethodPolicy::new("/test.Script/Elsewhere")
        },
    ]);
    // Given a service and callers who say that they are these
    let running = host(&[], |_| async { reply("fine") }).policies(NAMED);
    let running = running.start().await.expect("started");
    let channel = connect(running.addr()).await;

    // When each calls the same method
    for caller in ["operations", "operations", "billing", "x-1", "x-2", ""] {
        let mut request = tonic::Request::new(String::new());
        let caller = caller.parse().expect("a value");
        request.metadata_mut().insert("cleave-hops", caller);
        unary(&channel, "Edge", request).await.expect("answer");
    }

    // Then those that any method names have a series of their own, and all others have one together
    let (_, text) = page(running.admin_addr(), "/metrics").await;
    let edges = |name: &str, rest: &str| {
        let series = format!("{name}{{grpc_method=\"test.Script/Edge\",{rest}caller=\"");
        let mut found: Vec<String> = text
            .lines()
            .filter_map(|line| line.strip_prefix(&series))
            .map(|line| line.replace("\"}", ""))
            .collect();
        found.sort();
        found
    };
    let expected = ["billing 1", "operations 2", "other 3"];
    assert_eq!(edges("grpc_server_call_started", ""), expected);
    let ended = edges("grpc_server_call_duration_count", "grpc_status=\"OK\",");
    assert_eq!(ended, expected);
}

#[tokio::test]
async fn the_release_is_told() {
    let running = start(|_| async { reply("fine") }).await;

    let (_, text) = page(running.admin_addr(), "/metrics").await;

    let version = env!("CARGO_PKG_VERSION");
    let line = format!(
        "cleave_build_info{{service=\"test\",version=\"{version}\",commit=\"unknown\",contract=\"unknown\"}} 1"
    );
    assert!(text.contains(&line), "{line} is not in:\n{text}");
    let (_, text) = page(running.admin_addr(), "/mesh").await;
    let state: Value = serde_json::from_str(&text).expect("json");
    assert_eq!(state["version"], version);
    assert_eq!(state["commit"], "unknown");
}

#[tokio::test]
async fn given_a_client_of_the_admin_port_that_does_not_ask_then_it_is_cut() {
    let settings = [("host.handshake_timeout", "50ms")];
    let running = host(&settings, |_| async { reply("fine") });
    let running = running.start().await.expect("started");
    for words in ["", "P", "GET /healthz HTTP/1.1\r\nhost: x\r\n"] {
        // Given a client that says so much and no more
        let mut stream = TcpStream::connect(running.admin_addr()).await;
        let stream = stream.as_mut().expect("connected");
        stream.write_all(words.as_bytes()).await.expect("written");

        // Then the other side hangs up, one way or the other
        let mut answer = Vec::new();
        let _ = stream.read_to_end(&mut answer).await;
    }
}

#[tokio::test]
async fn given_more_connections_to_the_admin_port_than_there_may_be_then_they_are_closed_at_once() {
    // Given as many as there may be
    let running = start(|_| async { reply("fine") }).await;
    let mut silent = Vec::new();
    for _ in 0..128 {
        let stream = TcpStream::connect(running.admin_addr()).await;
        silent.push(stream.expect("connected"));
    }

    // When there is one more
    let mut more = TcpStream::connect(running.admin_addr())
        .await
        .expect("connected");

    // Then it is closed, long before the others had to ask for something
    let mut answer = Vec::new();
    let closed = tokio::time::timeout(Duration::from_secs(5), more.read_to_end(&mut answer));
    let closed = closed.await.expect("at once");
    assert!(closed.is_err() || answer.is_empty(), "{answer:?}");
    // And whoever leaves makes room
    drop(silent);
    loop {
        let mut again = TcpStream::connect(running.admin_addr())
            .await
            .expect("connected");
        let ask = b"GET /healthz HTTP/1.0\r\n\r\n";
        let mut answer = String::new();
        if again.write_all(ask).await.is_ok() && again.read_to_string(&mut answer).await.is_ok() {
            if answer.ends_with("ok\n") {
                break;
            }
            assert_eq!(answer, "");
        }
    }
}
