//! Who may call what once workloads have identities.

use crate::pki::{self, Authority, Files, anonymous, identified};
use crate::rig::{host, reply, unary};
use cleave_host::Running;
use cleave_mesh::context;
use cleave_mesh::contract::messages::{GET_CONTRACT, GetContractRequest, GetContractResponse};
use cleave_mesh::policy::{MethodPolicy, PolicyTable};
use tonic::transport::Channel;
use tonic::{Code, Status};
use tonic_health::pb::HealthCheckRequest;
use tonic_health::pb::health_client::HealthClient;
use tonic_types::StatusExt as _;

static POLICIES: PolicyTable = PolicyTable::new(&[
    MethodPolicy {
        callers: &["operations", "cleave"],
        ..MethodPolicy::new("/test.Script/Both")
    },
    MethodPolicy {
        callers: &["operations"],
        ..MethodPolicy::new("/test.Script/One")
    },
]);

/// A shape of one method without a name: enough to have something to tell.
const SHAPE: &[u8] = &[0x0a, 0x00];

async fn start(files: &Files, changes: &[(&str, &str)]) -> Running {
    let own = files.settings();
    let own = own.iter().map(|(key, value)| (*key, value.as_str()));
    let all: Vec<(&str, &str)> = own.chain(changes.iter().copied()).collect();
    let running = host(&all, |_| async {
        let caller = context::current().and_then(|call| call.caller);
        reply(caller.as_deref().unwrap_or("nobody"))
    })
    .policies(POLICIES.with_shape(SHAPE))
    .start()
    .await
    .expect("started");
    running.ready().await;
    running
}

/// What a call comes to: who the handler saw, or the code and reason of the refusal.
async fn call(channel: &Channel, method: &str) -> Result<String, (Code, String)> {
    // What a caller says of itself counts for nothing here.
    let mut request = tonic::Request::new(String::new());
    let claim = "operations".parse().expect("value");
    request.metadata_mut().insert("cleave-hops", claim);
    unary(channel, method, request).await.map_err(reason)
}

fn reason(status: Status) -> (Code, String) {
    let info = status.get_details_error_info();
    assert!(
        info.as_ref()
            .is_none_or(|info| info.domain == "mesh.cleave"),
        "{info:?}"
    );
    let reason = info.map(|info| info.reason).unwrap_or_default();
    (status.code(), reason)
}

async fn health(channel: Channel) -> Result<(), Code> {
    let request = HealthCheckRequest::default();
    let answer = HealthClient::new(channel).check(request).await;
    answer.map(|_| ()).map_err(|status| status.code())
}

/// Asks for the contract that is served.
async fn contract(channel: &Channel) -> Result<(), (Code, String)> {
    let path = http::uri::PathAndQuery::from_static(GET_CONTRACT);
    let codec = tonic_prost::ProstCodec::<GetContractRequest, GetContractResponse>::default();
    let mut grpc = tonic::client::Grpc::new(channel.clone());
    grpc.ready().await.expect("ready");
    let question = tonic::Request::new(GetContractRequest::default());
    let answer = grpc.unary(question, path, codec).await;
    answer.map(|_| ()).map_err(reason)
}

async fn reflection(channel: Channel) -> Result<(), Code> {
    use tonic_reflection::pb::v1::server_reflection_client::ServerReflectionClient;
    let requests = tokio_stream::iter([]);
    let answer = ServerReflectionClient::new(channel)
        .server_reflection_info(requests)
        .await;
    answer.map(|_| ()).map_err(|status| status.code())
}

#[tokio::test]
async fn every_method_answers_the_callers_of_its_contract_and_no_others() {
    let authority = Authority::new();
    let files = authority.files(pki::SERVER);
    let running = start(&files, &[]).await;
    let denied = || Err((Code::PermissionDenied, "CALLER_NOT_ALLOWED".to_owned()));
    let seen = |caller: &str| Ok(caller.to_owned());
    let matrix = [
        ("operations", seen("operations"), seen("operations")),
        ("cleave", seen("cleave"), denied()),
        ("billing", denied(), denied()),
        ("test", denied(), denied()),
    ];
    for (caller, both, one) in matrix {
        let credentials = authority.files(caller).credentials();
        let channel = pki::connect(running.addr(), identified(&credentials))
            .await
            .expect(caller);
        assert_eq!(call(&channel, "Both").await, both, "{caller}");
        assert_eq!(call(&channel, "One").await, one, "{caller}");
        assert_eq!(call(&channel, "Unknown").await, denied(), "{caller}");
        assert_eq!(health(channel.clone()).await, Ok(()), "{caller}");
        assert_eq!(contract(&channel).await, Ok(()), "{caller}");
        assert_eq!(reflection(channel).await, Ok(()), "{caller}");
    }
}

#[tokio::test]
async fn who_shows_no_certificate_may_ask_for_health_alone() {
    let authority = Authority::new();
    let files = authority.files(pki::SERVER);
    let running = start(&files, &[]).await;
    let credentials = authority.files("operations").credentials();
    let channel = pki::connect(running.addr(), anonymous(&credentials))
        .await
        .expect("connected");

    let denied = Err((Code::PermissionDenied, "NO_IDENTITY".to_owned()));
    assert_eq!(call(&channel, "Both").await, denied);
    assert_eq!(call(&channel, "Unknown").await, denied);
    assert_eq!(health(channel.clone()).await, Ok(()));
    let denied = Err((Code::PermissionDenied, "NO_IDENTITY".to_owned()));
    assert_eq!(contract(&channel).await, denied);
    assert_eq!(reflection(channel).await, Err(Code::PermissionDenied));
}

#[tokio::test]
async fn who_may_ask_for_the_contract_is_a_setting() {
    let authority = Authority::new();
    let files = authority.files(pki::SERVER);
    let credentials = authority.files("operations").credentials();
    for (access, unknown, known) in [
        ("everyone", true, true),
        ("identified", false, true),
        ("nobody", false, false),
    ] {
        let running = start(&files, &[("host.tls.contract", access)]).await;
        for (config, allowed) in [
            (anonymous(&credentials), unknown),
            (identified(&credentials), known),
        ] {
            let channel = pki::connect(running.addr(), config).await;
            let answer = contract(&channel.expect("connected")).await;
            assert_eq!(answer.is_ok(), allowed, "{access}: {answer:?}");
        }
    }
}

#[tokio::test]
async fn where_everybody_must_be_known_the_handshake_fails_without_a_certificate() {
    let authority = Authority::new();
    let files = authority.files(pki::SERVER);
    let running = start(&files, &[("host.tls.health", "identified")]).await;
    let credentials = authority.files("operations").credentials();

    // With TLS 1.3 the client learns of it with the first bytes that it reads.
    let outcome = match pki::connect(running.addr(), anonymous(&credentials)).await {
        Ok(channel) => health(channel).await,
        Err(_) => Err(Code::Unavailable),
    };
    outcome.expect_err("refused");

    let known = pki::connect(running.addr(), identified(&credentials)).await;
    assert_eq!(health(known.expect("connected")).await, Ok(()));
}

#[tokio::test]
async fn workloads_of_another_authority_do_not_get_in() {
    let authority = Authority::new();
    let files = authority.files(pki::SERVER);
    let running = start(&files, &[]).await;
    // It trusts the service, but its own certificate comes from elsewhere.
    let stranger = Authority::new().files("operations");
    stranger.trust(&authority.pem());

    let config = identified(&stranger.credentials());
    let outcome = match pki::connect(running.addr(), config).await {
        Ok(channel) => call(&channel, "One").await.map_err(|(code, _)| code),
        Err(_) => Err(Code::Unavailable),
    };

    assert_ne!(outcome, Err(Code::PermissionDenied), "it got in");
    outcome.expect_err("refused");
}

#[tokio::test]
async fn plaintext_does_not_reach_a_service_with_a_certificate() {
    let authority = Authority::new();
    let files = authority.files(pki::SERVER);
    let running = start(&files, &[]).await;

    let endpoint = format!("http://{}", running.addr());
    let channel = Channel::from_shared(endpoint)
        .expect("address")
        .connect_lazy();

    health(channel).await.expect_err("refused");
}
