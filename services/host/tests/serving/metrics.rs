//! The names, labels and buckets of what the caller's half counts: dashboards hang on them.

use crate::rig::{host, page, reply, respond, rest};
use cleave_host::Running;
use cleave_mesh::policy::{HedgingPolicy, Idempotency, MethodPolicy, PolicyTable, RetryPolicy};
use cleave_mesh::{Mesh, MeshChannel, Tuning};
use std::collections::{BTreeMap, BTreeSet};
use std::net::SocketAddr;
use std::time::Duration;
use tonic::{Code, Status};

/// What this test's own calls are counted under.
const TARGET: &str = "golden";
/// What is expected, a series to a line.
const GOLDEN: &str = include_str!("metrics.golden");

static POLICIES: PolicyTable = PolicyTable::new(&[
    MethodPolicy {
        timeout: Some(Duration::from_secs(20)),
        ..MethodPolicy::new("/test.Script/Call")
    },
    MethodPolicy {
        timeout: Some(Duration::from_secs(20)),
        idempotency: Idempotency::NoSideEffects,
        hedging: Some(HedgingPolicy {
            max_attempts: 2,
            delay: Duration::from_millis(1),
            non_fatal_codes: &[],
        }),
        ..MethodPolicy::new("/test.Script/Race")
    },
    MethodPolicy {
        timeout: Some(Duration::from_secs(20)),
        idempotency: Idempotency::NoSideEffects,
        retry: Some(RetryPolicy {
            max_attempts: 3,
            codes: &[Code::Unavailable],
            initial_backoff: Duration::from_millis(1),
            max_backoff: Duration::from_millis(1),
            multiplier_percent: 100,
        }),
        ..MethodPolicy::new("/test.Script/Read")
    },
]);

/// A replica that does what the request asks for.
async fn replica() -> Running {
    let running = host(&[], |request| async move {
        match request
            .headers()
            .get("x-script")
            .map(|what| what.as_bytes())
        {
            Some(b"fail") => Status::unavailable("as asked").into_http(),
            Some(b"rest") => {
                tokio::time::sleep(Duration::from_millis(50)).await;
                reply("late")
            }
            Some(b"hang") => {
                std::future::pending::<()>().await;
                respond(Box::pin(futures::stream::empty()))
            }
            _ => reply("fine"),
        }
    })
    .policies(POLICIES)
    .start()
    .await
    .expect("started");
    running.ready().await;
    running
}

/// A server that refuses the first stream of each connection before it looks at it, and then goes away.
async fn refuser() -> SocketAddr {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0")
        .await
        .expect("bind");
    let address = listener.local_addr().expect("address");
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            let mut connection = h2::server::handshake(stream).await.expect("handshake");
            if let Some(Ok((_, mut respond))) = connection.accept().await {
                respond.send_reset(h2::Reason::REFUSED_STREAM);
            }
            connection.graceful_shutdown();
            // It ends as the client wants.
            let _ = futures::future::poll_fn(|cx| connection.poll_closed(cx)).await;
        }
    });
    address
}

async fn call(channel: &MeshChannel, method: &str, script: &'static str) -> Result<(), Status> {
    let mut request = tonic::Request::new(String::new());
    let what = tonic::metadata::MetadataValue::from_static(script);
    request.metadata_mut().insert("x-script", what);
    let path = format!("/test.Script/{method}").try_into().expect("path");
    let codec = tonic_prost::ProstCodec::<String, String>::default();
    let mut grpc = tonic::client::Grpc::new(channel.clone());
    grpc.unary(request, path, codec).await.map(drop)
}

fn channel(addresses: &str) -> MeshChannel {
    let mesh = Mesh::builder(POLICIES)
        .peer(TARGET, addresses)
        .tuning(Tuning {
            first_ejection: Duration::from_millis(20),
            watch_health: false,
            ..Tuning::default()
        })
        .build()
        .expect("mesh");
    mesh.to(TARGET).expect("peer")
}

/// Makes everything happen that is counted.
async fn everything(one: &Running, two: &Running) {
    let both = channel(&format!("{},{}", one.addr(), two.addr()));
    call(&both, "Call", "").await.expect("answer");
    call(&both, "Unregistered", "").await.expect("answer");
    call(&both, "Race", "rest").await.expect("answer");
    let hanging = call(&both, "Call", "hang");
    let given_up = tokio::time::timeout(Duration::from_millis(50), hanging).await;
    given_up.expect_err("hangs");
    // Until both are ejected, retries are denied, and the calls go to those who are ejected all the same.
    for _ in 0..30 {
        call(&both, "Read", "fail").await.expect_err("fails");
    }
    // Until one is trusted again.
    for _ in 0..100 {
        tokio::time::sleep(Duration::from_millis(2)).await;
        call(&both, "Read", "").await.expect("answer");
    }

    let refused = channel(&refuser().await.to_string());
    call(&refused, "Call", "").await.expect_err("refused");
    one.shutdown().await;
    let gone = channel(&one.addr().to_string());
    call(&gone, "Call", "").await.expect_err("nobody listens");
}

/// The series of the target: name and labels without their values, and buckets, if there are any.
fn shape(text: &str) -> BTreeSet<String> {
    let mut shapes = BTreeSet::new();
    let mut buckets: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for line in text
        .lines()
        .filter(|line| line.contains("grpc_target=\"golden\""))
    {
        let (name, rest) = line.split_once('{').expect("labels");
        let (labels, _) = rest.rsplit_once('}').expect("labels");
        let labels: Vec<_> = labels
            .split("\",")
            .map(|label| label.split_once("=\"").expect("label"))
            .map(|(key, value)| (key, value.trim_end_matches('"')))
            .collect();
        for (key, value) in &labels {
            assert!(!value.contains("127.0.0.1"), "{key} is not bounded: {line}");
        }
        let keys = labels
            .iter()
            .map(|(key, _)| *key)
            .filter(|key| *key != "le");
        let keys = keys.collect::<Vec<_>>().join(",");
        if let Some((_, le)) = labels.iter().find(|(key, _)| *key == "le") {
            let name = name.strip_suffix("_bucket").expect("a bucket");
            let known = buckets.entry(format!("{name}{{{keys}}}")).or_default();
            if !known.contains(&(*le).to_owned()) {
                known.push((*le).to_owned());
            }
        } else if !name.ends_with("_sum") && !name.ends_with("_count") {
            shapes.insert(format!("{name}{{{keys}}}"));
        }
    }
    for (name, buckets) in buckets {
        shapes.insert(format!("{name} {}", buckets.join(" ")));
    }
    shapes
}

#[tokio::test]
async fn the_series_of_the_callers_half_are_what_dashboards_expect() {
    let (one, two) = (replica().await, replica().await);

    everything(&one, &two).await;

    // A connection's end is told a moment after the end itself.
    let expected: BTreeSet<String> = GOLDEN.lines().map(str::to_owned).collect();
    let deadline = tokio::time::Instant::now() + Duration::from_secs(20);
    loop {
        let (_, text) = page(two.admin_addr(), "/metrics").await;
        let found = shape(&text);
        if found == expected {
            return;
        }
        let show = || {
            found
                .iter()
                .map(|line| format!("{line}\n"))
                .collect::<String>()
        };
        assert!(
            tokio::time::Instant::now() < deadline,
            "metrics.golden does not hold:\n{}",
            show()
        );
        rest().await;
    }
}
