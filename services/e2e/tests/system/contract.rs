//! Both services tell the contract that they were built with.

use crate::started;
use cleave_contracts::POLICIES;
use cleave_e2e::Engine;
use cleave_mesh::Mesh;
use cleave_mesh::contract::Level;
use tonic::body::Body;
use tower::ServiceExt as _;

#[tokio::test]
async fn a_caller_of_the_same_build_finds_its_own_contract_at_both_services() -> anyhow::Result<()>
{
    let Some(pair) = started(Engine::Sqlite).await? else {
        return Ok(());
    };
    let mesh = Mesh::builder(POLICIES)
        .caller("cleave")
        .peer("operations", &format!("http://{}", pair.operations.addr()))
        .peer("billing", &format!("http://{}", pair.billing.addr()))
        .build()?;
    for peer in ["operations", "billing"] {
        let request = http::Request::post("/grpc.health.v1.Health/Check")
            .header("content-type", "application/grpc")
            .body(Body::empty())?;
        mesh.to(peer)?.oneshot(request).await?;
    }
    for peer in mesh.state() {
        let contract = peer.replicas[0].contract.clone();
        let contract = contract.expect("it is connected");
        assert_eq!(contract.level, Some(Level::Same), "{}", peer.name);
        assert!(contract.skews.is_empty(), "{contract:?}");
    }
    Ok(())
}
