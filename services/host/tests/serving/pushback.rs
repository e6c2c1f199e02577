//! What a host sheds comes back when the host said, through the mesh's own channel.

use crate::rig::{host, reply, rest, text_of};
use cleave_host::Running;
use cleave_mesh::policy::{Idempotency, MethodPolicy, PolicyTable, RetryPolicy};
use cleave_mesh::{CallError, Mesh, MeshChannel};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};
use tokio::sync::Semaphore;
use tonic::{Code, Request, Status};

/// The retries of the contracts.
const RETRY: Option<RetryPolicy> = Some(RetryPolicy {
    max_attempts: 4,
    codes: &[Code::Unavailable, Code::ResourceExhausted],
    initial_backoff: Duration::from_millis(20),
    max_backoff: Duration::from_secs(1),
    multiplier_percent: 200,
});

static POLICIES: PolicyTable = PolicyTable::new(&[
    MethodPolicy {
        timeout: Some(Duration::from_secs(20)),
        retry: RETRY,
        idempotency: Idempotency::NoSideEffects,
        ..MethodPolicy::new("/test.Script/Call")
    },
    MethodPolicy {
        timeout: Some(Duration::from_millis(100)),
        retry: RETRY,
        idempotency: Idempotency::NoSideEffects,
        ..MethodPolicy::new("/test.Script/Short")
    },
]);

/// The least that the host asks usual calls to stay away for.
const SHORTEST: Duration = Duration::from_millis(125);

/// A host for one usual call at a time, which lasts until there is a permit and is answered with its text, twice; the
/// calls that reached the handler.
async fn start(go_on: &Arc<Semaphore>) -> (Running, Arc<AtomicUsize>) {
    let (go_on, handled) = (Arc::clone(go_on), Arc::<AtomicUsize>::default());
    let counted = Arc::clone(&handled);
    let settings = [
        ("host.admission.max_calls", "1"),
        ("host.admission.min_calls", "1"),
        ("host.max_message_bytes", "20000"),
    ];
    let running = host(&settings, move |request| {
        let (go_on, counted) = (Arc::clone(&go_on), Arc::clone(&counted));
        async move {
            counted.fetch_add(1, Ordering::SeqCst);
            go_on.acquire().await.expect("open").forget();
            match text_of(request).await {
                Ok(text) => reply(&text.repeat(2)),
                Err(status) => status.into_http(),
            }
        }
    })
    .policies(POLICIES)
    .start()
    .await
    .expect("started");
    (running, handled)
}

fn mesh(running: &Running) -> Mesh {
    let mesh = Mesh::builder(POLICIES).peer("test", &running.addr().to_string());
    mesh.build().expect("mesh")
}

async fn call(
    channel: &MeshChannel,
    method: &str,
    request: Request<String>,
) -> Result<String, Status> {
    let mut grpc = tonic::client::Grpc::new(channel.clone())
        .max_decoding_message_size(usize::MAX)
        .max_encoding_message_size(usize::MAX);
    let path = format!("/test.Script/{method}").try_into().expect("path");
    let codec = tonic_prost::ProstCodec::<String, String>::default();
    grpc.ready().await?;
    let answer = grpc.unary(request, path, codec).await?;
    Ok(answer.into_inner())
}

fn empty() -> Request<String> {
    Request::new(String::new())
}

#[tokio::test]
async fn given_a_full_host_when_it_has_room_again_then_a_shed_call_is_answered() {
    // Given a host with as much work as it takes
    let go_on = Arc::new(Semaphore::new(0));
    let (running, handled) = start(&go_on).await;
    let mesh = mesh(&running);
    let channel = mesh.to("test").expect("peer");
    let first = channel.clone();
    let first = tokio::spawn(async move { call(&first, "Call", empty()).await });
    while handled.load(Ordering::SeqCst) == 0 {
        rest().await;
    }

    // When another call is shed, and then there is room
    let begun = Instant::now();
    let second = tokio::spawn(async move { call(&channel, "Call", empty()).await });
    while mesh.state()[0].retry_tokens >= 1_000.0 {
        rest().await;
    }
    go_on.add_permits(2);

    // Then it is answered, not before the time that it was told, and is paid for like any repetition
    second.await.expect("joined").expect("answer");
    assert!(begun.elapsed() >= SHORTEST, "{:?}", begun.elapsed());
    first.await.expect("joined").expect("answer");
    let state = mesh.state().remove(0);
    assert!(state.retry_tokens < 1_000.0, "{}", state.retry_tokens);
    assert!(state.retry_budget < 100, "{}", state.retry_budget);
}

#[tokio::test]
async fn given_a_full_host_when_the_deadline_comes_first_then_the_call_is_refused_at_once() {
    let go_on = Arc::new(Semaphore::new(0));
    let (running, handled) = start(&go_on).await;
    let mesh = mesh(&running);
    let channel = mesh.to("test").expect("peer");
    let first = channel.clone();
    tokio::spawn(async move { call(&first, "Call", empty()).await });
    while handled.load(Ordering::SeqCst) == 0 {
        rest().await;
    }

    let status = call(&channel, "Short", empty()).await;

    let error = CallError::from(status.expect_err("refused"));
    assert_eq!(error.code, Code::ResourceExhausted, "{error}");
    assert!(error.is_reason("OVERLOADED"));
    assert!(error.retry_after >= Some(SHORTEST));
    assert_eq!(mesh.state()[0].retry_budget, 100, "nothing was repeated");
}

#[tokio::test]
async fn given_what_is_too_large_when_it_is_refused_then_it_is_not_sent_again() {
    let go_on = Arc::new(Semaphore::new(100));
    let (running, handled) = start(&go_on).await;
    let mesh = mesh(&running);
    let channel = mesh.to("test").expect("peer");
    let text = |length: usize| Request::new("x".repeat(length));
    let mut with_note = text(0);
    let note = "x".repeat(17_000).parse().expect("text");
    with_note.metadata_mut().insert("x-note", note);

    for (request, reach_the_handler) in [(with_note, 0), (text(30_000), 1), (text(15_000), 1)] {
        let before = handled.load(Ordering::SeqCst);
        let status = call(&channel, "Call", request).await.expect_err("refused");
        assert_eq!(status.code(), Code::ResourceExhausted, "{status:?}");
        assert_eq!(handled.load(Ordering::SeqCst) - before, reach_the_handler);
    }

    assert_eq!(mesh.state()[0].retry_budget, 100, "nothing was repeated");
}
