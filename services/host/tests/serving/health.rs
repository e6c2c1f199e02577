//! Health from the first probe to the last stream.

use crate::rig::{connect, host, reply};
use cleave_host::Running;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use tonic::{Code, Streaming};
use tonic_health::pb::health_check_response::ServingStatus;
use tonic_health::pb::health_client::HealthClient;
use tonic_health::pb::{HealthCheckRequest, HealthCheckResponse};

type Client = HealthClient<tonic::transport::Channel>;

async fn check(client: &mut Client, service: &str) -> Result<ServingStatus, Code> {
    let request = HealthCheckRequest {
        service: service.to_owned(),
    };
    let answer = client
        .check(request)
        .await
        .map_err(|status| status.code())?;
    Ok(answer.into_inner().status())
}

async fn watch(client: &mut Client, service: &str) -> Streaming<HealthCheckResponse> {
    let request = HealthCheckRequest {
        service: service.to_owned(),
    };
    client.watch(request).await.expect("stream").into_inner()
}

async fn next(stream: &mut Streaming<HealthCheckResponse>) -> Result<ServingStatus, Code> {
    let message = stream.message().await.map_err(|status| status.code())?;
    Ok(message.expect("the stream goes on").status())
}

/// A host whose database answers as `up` says.
async fn start(up: &Arc<AtomicBool>) -> (Running, Client) {
    let up = Arc::clone(up);
    let running = host(&[], |_| async { reply("fine") })
        .readiness("database", move || {
            let up = up.load(Ordering::SeqCst);
            async move {
                anyhow::ensure!(up, "the database is away");
                Ok(())
            }
        })
        .start()
        .await
        .expect("started");
    let client = HealthClient::new(connect(running.addr()).await);
    (running, client)
}

#[tokio::test]
async fn nothing_serves_until_the_database_answers_and_again_when_it_does_not() {
    let up = Arc::new(AtomicBool::new(false));
    let (running, mut client) = start(&up).await;
    for name in ["", "test.Script"] {
        assert_eq!(
            check(&mut client, name).await,
            Ok(ServingStatus::NotServing),
            "{name:?}"
        );
    }
    let mut changes = watch(&mut client, "test.Script").await;
    assert_eq!(next(&mut changes).await, Ok(ServingStatus::NotServing));

    up.store(true, Ordering::SeqCst);
    running.ready().await;
    assert_eq!(next(&mut changes).await, Ok(ServingStatus::Serving));
    for name in ["", "test.Script"] {
        assert_eq!(
            check(&mut client, name).await,
            Ok(ServingStatus::Serving),
            "{name:?}"
        );
    }

    up.store(false, Ordering::SeqCst);
    assert_eq!(next(&mut changes).await, Ok(ServingStatus::NotServing));
}

#[tokio::test]
async fn the_process_lives_while_its_database_is_away_and_while_it_drains() {
    let up = Arc::new(AtomicBool::new(false));
    let (running, mut client) = start(&up).await;
    let mut admin = HealthClient::new(connect(running.admin_addr()).await);
    let mut changes = watch(&mut client, "liveness").await;
    assert_eq!(next(&mut changes).await, Ok(ServingStatus::Serving));

    for client in [&mut client, &mut admin] {
        assert_eq!(check(client, "").await, Ok(ServingStatus::NotServing));
        assert_eq!(check(client, "liveness").await, Ok(ServingStatus::Serving));
    }
    let channel = connect(running.addr()).await;
    let alive = ("liveness".to_owned(), ServingStatus::Serving);
    assert!(list(&channel).await.contains(&alive));

    running.drain().begin();
    assert_eq!(check(&mut admin, "").await, Ok(ServingStatus::NotServing));
    assert_eq!(
        check(&mut admin, "liveness").await,
        Ok(ServingStatus::Serving)
    );
}

#[tokio::test]
async fn a_probe_that_hangs_has_failed_after_its_timeout() {
    let hangs = Arc::new(AtomicBool::new(false));
    let seen = Arc::clone(&hangs);
    let running = host(&[("host.probe_timeout", "50ms")], |_| async {
        reply("fine")
    })
    .readiness("database", move || {
        let hangs = seen.load(Ordering::SeqCst);
        async move {
            if hangs {
                std::future::pending::<()>().await;
            }
            Ok(())
        }
    })
    .start()
    .await
    .expect("started");
    running.ready().await;
    let mut client = HealthClient::new(connect(running.addr()).await);
    let mut changes = watch(&mut client, "").await;
    assert_eq!(next(&mut changes).await, Ok(ServingStatus::Serving));

    hangs.store(true, Ordering::SeqCst);

    assert_eq!(next(&mut changes).await, Ok(ServingStatus::NotServing));
    let (_, page) = crate::rig::page(running.admin_addr(), "/readyz").await;
    assert!(page.contains("no answer within 50ms"), "{page}");
}

#[tokio::test]
async fn an_unknown_service_is_not_found_and_a_watch_says_so_without_ending() {
    let up = Arc::new(AtomicBool::new(true));
    let (running, mut client) = start(&up).await;
    running.ready().await;

    assert_eq!(
        check(&mut client, "test.Nothing").await,
        Err(Code::NotFound)
    );
    let mut unknown = watch(&mut client, "test.Nothing").await;
    assert_eq!(next(&mut unknown).await, Ok(ServingStatus::ServiceUnknown));

    // It ends only with the service.
    let ended = tokio::spawn(async move { next(&mut unknown).await });
    assert!(running.shutdown().await.clean);
    assert_eq!(ended.await.expect("joined"), Err(Code::Unavailable));
}

#[tokio::test]
async fn a_watch_sees_the_end_coming_and_does_not_hold_it_up() {
    let up = Arc::new(AtomicBool::new(true));
    let (running, mut client) = start(&up).await;
    running.ready().await;
    let mut changes = watch(&mut client, "").await;
    assert_eq!(next(&mut changes).await, Ok(ServingStatus::Serving));

    running.drain().begin();

    assert_eq!(next(&mut changes).await, Ok(ServingStatus::NotServing));
    assert_eq!(next(&mut changes).await, Err(Code::Unavailable));
    assert!(running.wait().await.clean);
}

#[tokio::test]
async fn all_services_are_listed_with_their_state() {
    let up = Arc::new(AtomicBool::new(false));
    let (running, client) = start(&up).await;
    drop(client);
    let channel = connect(running.addr()).await;
    let before = list(&channel).await;
    let serving = before
        .iter()
        .filter(|(_, status)| *status == ServingStatus::Serving);
    let serving: Vec<_> = serving.map(|(name, _)| name.as_str()).collect();
    assert_eq!(serving, ["liveness"], "{before:?}");

    up.store(true, Ordering::SeqCst);
    running.ready().await;

    let listed = list(&channel).await;
    for name in ["", "test.Script"] {
        let serving = (name.to_owned(), ServingStatus::Serving);
        assert!(listed.contains(&serving), "{name:?} in {listed:?}");
    }
}

/// The published client knows no List: the messages are written out here.
async fn list(channel: &tonic::transport::Channel) -> Vec<(String, ServingStatus)> {
    #[derive(Clone, PartialEq, prost::Message)]
    struct Answer {
        #[prost(map = "string, message", tag = "1")]
        statuses: std::collections::HashMap<String, HealthCheckResponse>,
    }
    let mut grpc = tonic::client::Grpc::new(channel.clone());
    grpc.ready().await.expect("ready");
    let path = http::uri::PathAndQuery::from_static("/grpc.health.v1.Health/List");
    let codec = tonic_prost::ProstCodec::<(), Answer>::default();
    let answer = grpc.unary(tonic::Request::new(()), path, codec).await;
    let statuses = answer.expect("answer").into_inner().statuses;
    let mut listed: Vec<_> = statuses
        .into_iter()
        .map(|(name, answer)| (name, answer.status()))
        .collect();
    listed.sort_by(|a, b| a.0.cmp(&b.0));
    listed
}

#[tokio::test]
async fn a_task_that_must_succeed_first_and_one_that_hangs_keep_the_service_from_being_ready() {
    let go_on = Arc::new(tokio::sync::Semaphore::new(0));
    let wait = Arc::clone(&go_on);
    let tick = move || {
        let wait = Arc::clone(&wait);
        async move {
            wait.acquire().await?.forget();
            Ok(cleave_host::Report::more(1))
        }
    };
    let task = cleave_host::Task::new("loader", std::time::Duration::from_secs(60), tick);
    let running = host(&[("host.task_patience", "50ms")], |_| async {
        reply("fine")
    })
    .task(task.before_ready())
    .start()
    .await
    .expect("started");
    let mut client = HealthClient::new(connect(running.addr()).await);
    let mut changes = watch(&mut client, "").await;
    assert_eq!(next(&mut changes).await, Ok(ServingStatus::NotServing));
    let (code, page) = crate::rig::page(running.admin_addr(), "/readyz").await;
    assert_eq!(code, 503);
    assert!(
        page.contains("has not succeeded yet") || page.contains("[]"),
        "{page}"
    );

    // One tick succeeds, the next one hangs, and then goes on.
    go_on.add_permits(1);
    assert_eq!(next(&mut changes).await, Ok(ServingStatus::Serving));
    assert_eq!(next(&mut changes).await, Ok(ServingStatus::NotServing));
    let (_, page) = crate::rig::page(running.admin_addr(), "/readyz").await;
    assert!(page.contains("task loader hangs"), "{page}");
    go_on.add_permits(1_000_000);
    assert_eq!(next(&mut changes).await, Ok(ServingStatus::Serving));
}
