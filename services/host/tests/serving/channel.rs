//! The mesh's own channel to a service with an identity.

use crate::pki::{Authority, Files, SERVER};
use crate::rig::{host, page, reply, rest};
use cleave_host::Running;
use cleave_mesh::policy::{MethodPolicy, PolicyTable};
use cleave_mesh::tls::Credentials;
use cleave_mesh::{CallError, Cause, Mesh, MeshChannel, context};
use std::collections::BTreeSet;
use tonic::{Code, Status};

static POLICIES: PolicyTable = PolicyTable::new(&[MethodPolicy {
    callers: &["operations"],
    ..MethodPolicy::new("/test.Script/Call")
}]);

async fn start(files: &Files) -> Running {
    let own = files.settings();
    let own = own.iter().map(|(key, value)| (*key, value.as_str()));
    let running = host(&own.collect::<Vec<_>>(), |_| async {
        let caller = context::current().and_then(|call| call.caller);
        reply(caller.as_deref().unwrap_or("nobody"))
    })
    .policies(POLICIES)
    .start()
    .await
    .expect("started");
    running.ready().await;
    running
}

/// A channel to the workload `peer`, which is looked for where the service is.
fn channel(running: &Running, peer: &str, credentials: &Credentials) -> MeshChannel {
    let mesh = Mesh::builder(POLICIES)
        .credentials(credentials.clone())
        .peer(peer, &running.addr().to_string())
        .build();
    mesh.expect("mesh").to(peer).expect("peer")
}

async fn call(channel: &MeshChannel) -> Result<String, Status> {
    let path = http::uri::PathAndQuery::from_static("/test.Script/Call");
    let codec = tonic_prost::ProstCodec::<String, String>::default();
    let mut grpc = tonic::client::Grpc::new(channel.clone());
    let request = tonic::Request::new(String::new());
    let answer = grpc.unary(request, path, codec).await?;
    Ok(answer.into_inner())
}

/// Why a call fails.
async fn failure(channel: &MeshChannel) -> (Code, Cause, String) {
    let error = CallError::from(call(channel).await.expect_err("fails"));
    (error.code, error.cause, error.message.clone())
}

/// The certificates that clients have shown on the connections that are open.
async fn shown(running: &Running) -> BTreeSet<String> {
    let (_, body) = page(running.admin_addr(), "/mesh").await;
    let state: serde_json::Value = serde_json::from_str(&body).expect("json");
    let connections = state["connections"].as_array().expect("connections");
    let shown = connections
        .iter()
        .filter_map(|one| one["certificate"].as_str());
    shown.map(str::to_owned).collect()
}

#[tokio::test]
async fn each_end_proves_who_it_is() {
    let authority = Authority::new();
    let running = start(&authority.files(SERVER)).await;
    let operations = authority.files("operations");
    let credentials = operations.credentials();

    let answer = call(&channel(&running, SERVER, &credentials)).await;
    assert_eq!(answer.expect("answer"), "operations");

    let (code, cause, why) = failure(&channel(&running, "elsewhere", &credentials)).await;
    assert_eq!((code, cause), (Code::Unavailable, Cause::PeerUntrusted));
    assert!(why.contains("the server is test, not elsewhere"), "{why}");

    let foreign = Authority::new().files("operations");
    foreign.trust(&authority.pem());
    let (code, cause, why) = failure(&channel(&running, SERVER, &foreign.credentials())).await;
    assert_eq!((code, cause), (Code::Unavailable, Cause::IdentityRefused));
    assert!(
        why.contains("does not believe the caller's certificate"),
        "{why}"
    );

    let stranger = authority.files("stranger").credentials();
    let (code, cause, _) = failure(&channel(&running, SERVER, &stranger)).await;
    assert_eq!((code, cause), (Code::PermissionDenied, Cause::Refused));
}

#[tokio::test]
async fn given_one_end_in_plaintext_when_the_other_speaks_tls_then_the_cause_says_so() {
    let authority = Authority::new();
    let credentials = authority.files("operations").credentials();
    let secure = start(&authority.files(SERVER)).await;
    let plain = crate::rig::start(|_| async { reply("fine") }).await;
    let without = Mesh::builder(POLICIES).peer(SERVER, &secure.addr().to_string());
    let without = without.build().expect("mesh").to(SERVER).expect("peer");

    let (code, cause, why) = failure(&without).await;
    assert_eq!((code, cause), (Code::Unavailable, Cause::TlsMismatch));
    assert!(why.contains("the peer speaks TLS"), "{why}");

    let (code, cause, why) = failure(&channel(&plain, SERVER, &credentials)).await;
    assert_eq!((code, cause), (Code::Unavailable, Cause::TlsMismatch));
    assert!(why.contains("does not speak TLS"), "{why}");
}

#[tokio::test]
async fn new_credentials_replace_connections_without_a_failed_call() {
    let authority = Authority::new();
    let running = start(&authority.files(SERVER)).await;
    let operations = authority.files("operations");
    let credentials = operations.credentials();
    let channel = channel(&running, SERVER, &credentials);
    call(&channel).await.expect("answer");
    let old = shown(&running).await;
    assert_eq!(old.len(), 1);

    // A certificate that the server does not believe: the old connection goes on.
    operations.own(Authority::new().issue("operations"));
    assert!(credentials.reload().expect("readable"));
    for _ in 0..20 {
        call(&channel).await.expect("answer");
        rest().await;
    }
    assert_eq!(shown(&running).await, old);

    // One that it believes: a new connection takes over at once.
    operations.own(authority.issue("operations"));
    assert!(credentials.reload().expect("good"));
    while !shown(&running).await.is_disjoint(&old) || shown(&running).await.is_empty() {
        call(&channel).await.expect("answer");
        rest().await;
    }
    call(&channel).await.expect("answer");
}
