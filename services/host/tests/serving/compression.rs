//! Compressed messages: read within the limit of what they unfold to, and answered in kind.

use crate::rig::{connect, host, reply};
use cleave_host::Running;
use tonic::codec::CompressionEncoding::Gzip;
use tonic::{Code, Response, Status};
use tonic_health::pb::health_client::HealthClient;
use tonic_health::pb::{HealthCheckRequest, HealthCheckResponse};

type Client = HealthClient<tonic::transport::Channel>;

async fn start() -> (Running, Client) {
    let running = host(&[], |_| async { reply("fine") });
    let running = running.start().await.expect("started");
    running.ready().await;
    let client = HealthClient::new(connect(running.addr()).await);
    (running, client)
}

async fn check(
    client: &mut Client,
    service: String,
) -> Result<Response<HealthCheckResponse>, Status> {
    client.check(HealthCheckRequest { service }).await
}

fn encoding(answer: &Response<HealthCheckResponse>) -> Option<&str> {
    let encoding = answer.metadata().get("grpc-encoding")?;
    encoding.to_str().ok()
}

#[tokio::test]
async fn who_compresses_is_answered_so_and_nobody_else() {
    let (running, client) = start().await;
    let mut both = client.clone().accept_compressed(Gzip).send_compressed(Gzip);
    let answer = check(&mut both, String::new()).await.expect("answered");
    assert_eq!(encoding(&answer), Some("gzip"));

    let mut reads = client.accept_compressed(Gzip);
    let answer = check(&mut reads, String::new()).await.expect("answered");
    assert_eq!(encoding(&answer), None);
    running.shutdown().await;
}

#[tokio::test]
async fn a_message_that_unfolds_beyond_the_limit_is_refused() {
    let (running, client) = start().await;
    let mut client = client.send_compressed(Gzip);
    let refused = check(&mut client, "x".repeat(64 * 1024 * 1024))
        .await
        .expect_err("refused");
    assert_eq!(refused.code(), Code::ResourceExhausted, "{refused}");
    let answer = check(&mut client, String::new()).await;
    assert!(answer.is_ok(), "{answer:?}");
    running.shutdown().await;
}
