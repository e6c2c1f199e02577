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
