//! What the kubelet asks for is what a running service answers, and what the number of replicas follows is what it
//! counts.

use crate::pods::program;
use crate::scaling::counted;
use crate::{OVERLAYS, SERVICES};
use anyhow::{Context as _, Result};
use cleave_e2e::{Manifests, Process};
use cleave_storage::Engine;
use cleave_storage::testing::TestDatabase;
use tonic::Code;
use tonic::transport::Endpoint;
use tonic_health::pb::HealthCheckRequest;
use tonic_health::pb::health_check_response::ServingStatus;
use tonic_health::pb::health_client::HealthClient;

const PROBES: [&str; 3] = ["startupProbe", "livenessProbe", "readinessProbe"];

#[tokio::test]
async fn given_a_running_service_when_asked_what_probes_and_scalers_ask_then_it_answers()
-> Result<()> {
    for (service, peer) in SERVICES {
        let folder = tempfile::tempdir()?;
        let database = TestDatabase::on(Engine::Sqlite)
            .await
            .context("SQLite is always at hand")?;
        let program = program(service).context("a binary")?;
        let mut process = Process::new(program, service, folder.path())?;
        process.set("database.url", database.url());
        process.set(&format!("peers.{peer}"), "");
        process.start().await?;
        let metrics = cleave_e2e::admin::page(process.admin(), "/metrics").await?;
        let series = format!("\n{}{{", counted()?);
        anyhow::ensure!(metrics.contains(&series), "{service} exports no {series:?}");
        let channel = Endpoint::from_shared(format!("http://{}", process.admin()))?
            .connect()
            .await?;
        let mut client = HealthClient::new(channel);
        for overlay in OVERLAYS {
            let Some(manifests) = Manifests::render(overlay, &[])? else {
                return Ok(());
            };
            let container =
                &manifests.workload(service)?["spec"]["template"]["spec"]["containers"][0];
            for probe in PROBES {
                let asked = &container[probe]["grpc"];
                anyhow::ensure!(asked.is_object(), "{overlay}: {service} has no {probe}");
                let service = asked["service"].as_str().unwrap_or_default().to_owned();
                let answer = client.check(HealthCheckRequest { service }).await?;
                assert_eq!(
                    answer.into_inner().status(),
                    ServingStatus::Serving,
                    "{overlay}: {asked}"
                );
            }
        }
        let request = HealthCheckRequest {
            service: "livenes".to_owned(),
        };
        let refused = client
            .check(request)
            .await
            .expect_err("nobody is called so");
        assert_eq!(refused.code(), Code::NotFound);
    }
    Ok(())
}
