//! Certificates made by the command, shown to real services.

use std::net::SocketAddr;
use std::path::Path;
use std::process::Output;

use cleave_mesh::tls::{Credentials, TlsFiles, TrustDomain};
use hyper_util::rt::TokioIo;
use rustls::pki_types::ServerName;
use serde_json::Value;
use tempfile::TempDir;
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tonic::Code;
use tonic::transport::{Channel, Endpoint};

use crate::network::{CLEAVE, Network};
use billing_client::pb::ListTransfersRequest;
use billing_client::pb::ledger_service_client::LedgerServiceClient;

async fn certs(arguments: &[&str], dir: &Path) -> Output {
    tokio::process::Command::new(CLEAVE)
        .arg("certs")
        .args(arguments)
        .arg(dir)
        .output()
        .await
        .expect("the binary runs")
}

async fn succeeds(arguments: &[&str], dir: &Path) -> String {
    let output = certs(arguments, dir).await;
    let told = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(output.status.success(), "{arguments:?}: {told}");
    String::from_utf8(output.stdout).expect("text")
}

async fn refused(arguments: &[&str], dir: &Path) -> String {
    let output = certs(arguments, dir).await;
    assert_eq!(output.status.code(), Some(1), "{arguments:?}");
    String::from_utf8(output.stderr).expect("text")
}

/// What a workload goes by.
fn credentials(dir: &Path, workload: &str) -> Credentials {
    let files = TlsFiles {
        certificate: dir.join(workload).join("tls.crt"),
        key: dir.join(workload).join("tls.key"),
        authority: Some(dir.join(workload).join("ca.crt")),
    };
    let domain = TrustDomain::parse("cleave.local").expect("domain");
    Credentials::load(files, domain).expect("credentials")
}

/// A connection to Billing by a workload.
async fn connect(
    address: &str,
    credentials: &Credentials,
) -> Result<Channel, tonic::transport::Error> {
    let address: SocketAddr = address.parse().expect("address");
    let config = credentials.current().client("billing").expect("client");
    let connector = TlsConnector::from(std::sync::Arc::new(config));
    let dial = tower::service_fn(move |_: tonic::transport::Uri| {
        let connector = connector.clone();
        async move {
            let stream = TcpStream::connect(address).await?;
            let name = ServerName::try_from("any.invalid").expect("name");
            connector.connect(name, stream).await.map(TokioIo::new)
        }
    });
    let endpoint = Endpoint::from_static("http://any.invalid");
    endpoint.connect_with_connector(dial).await
}

/// What a call comes to that only `cleave` may make: its code, or nothing when no call was possible.
async fn call(address: &str, credentials: &Credentials) -> Option<Code> {
    let channel = connect(address, credentials).await.ok()?;
    let request = ListTransfersRequest {
        page_size: 1,
        ..ListTransfersRequest::default()
    };
    match LedgerServiceClient::new(channel)
        .list_transfers(request)
        .await
    {
        Ok(_) => Some(Code::Ok),
        // Refused in the handshake, which TLS 1.3 tells only with the first answer.
        Err(status) if status.code() == Code::Unavailable || status.code() == Code::Unknown => None,
        Err(status) => Some(status.code()),
    }
}

#[tokio::test]
async fn services_believe_their_own_authority_and_nobody_else() {
    // Given a network whose Billing shows a certificate of an authority, and a stranger of another one
    let dir = TempDir::new().expect("a directory");
    let (own, other) = (dir.path().join("own"), dir.path().join("other"));
    succeeds(&["init"], &own).await;
    succeeds(&["init"], &other).await;
    let billing = |file: &str| own.join("billing").join(file).display().to_string();
    let variables = [
        ("BILLING__HOST__TLS__CERTIFICATE", billing("tls.crt")),
        ("BILLING__HOST__TLS__KEY", billing("tls.key")),
        (
            "BILLING__HOST__TLS__AUTHORITY",
            own.join("ca.crt").display().to_string(),
        ),
    ];
    let network = Network::up_with(dir.path(), &["--empty"], &variables).await;

    // Then the contract's callers are let in, others turned away, and strangers do not even shake hands
    let cleave = credentials(&own, "cleave");
    assert_eq!(call(&network.billing, &cleave).await, Some(Code::Ok));
    let operations = credentials(&own, "operations");
    let denied = call(&network.billing, &operations).await;
    assert_eq!(denied, Some(Code::PermissionDenied));
    let stranger = credentials(&other, "cleave");
    assert_eq!(call(&network.billing, &stranger).await, None);
}

#[tokio::test]
async fn a_change_of_authority_leaves_nobody_out_at_any_step() {
    let dir = TempDir::new().expect("a directory");
    let dir = dir.path();
    succeeds(&["init", "--trust-domain", "cleave.local"], dir).await;
    let first = credentials(dir, "billing");

    // When a new authority is added, then both are believed and the certificates are the old ones
    succeeds(&["rotate-ca"], dir).await;
    let problem = refused(&["rotate-ca"], dir).await;
    assert!(problem.contains("under way"), "{problem}");
    let problem = refused(&["rotate-ca", "--finish"], dir).await;
    assert!(problem.contains("renew` first"), "{problem}");
    assert_eq!(authorities(dir).await, 2);
    assert!(!first.reload().expect("good") || first.current().has_identities());

    // When all are renewed, then the old authority can go, and every step left usable files
    succeeds(&["renew"], dir).await;
    assert!(first.reload().expect("good"));
    succeeds(&["rotate-ca", "--finish"], dir).await;
    assert!(first.reload().expect("good"));
    assert_eq!(authorities(dir).await, 1);
}

async fn authorities(dir: &Path) -> usize {
    let shown = succeeds(&["show", "--output", "json"], dir).await;
    let lines: Vec<Value> = serde_json::from_str(&shown).expect("JSON");
    assert!(
        lines.iter().all(|line| line["trouble"].is_null()),
        "{shown}"
    );
    let holders = lines.iter().map(|line| &line["holder"]);
    holders.filter(|holder| *holder == "authority").count()
}

#[tokio::test]
async fn an_authority_is_not_overwritten_and_its_keys_are_its_owners() {
    use std::os::unix::fs::PermissionsExt as _;
    let dir = TempDir::new().expect("a directory");
    let dir = dir.path();
    let shown = succeeds(&["init", "--workload", "reporter"], dir).await;
    assert!(shown.contains("[host.tls]") && shown.contains("spiffe://cleave.local/reporter"));
    for key in ["ca.key", "billing/tls.key", "reporter/tls.key"] {
        let mode = std::fs::metadata(dir.join(key))
            .expect("there")
            .permissions()
            .mode();
        assert_eq!(mode & 0o777, 0o600, "{key}");
    }

    let before = std::fs::read(dir.join("ca.crt")).expect("there");
    let problem = refused(&["init"], dir).await;
    assert!(problem.contains("holds an authority already"), "{problem}");
    assert_eq!(std::fs::read(dir.join("ca.crt")).expect("there"), before);
    let left = succeeds(&["init", "--if-absent"], dir).await;
    assert!(left.contains("holds an authority already"), "{left}");
    assert_eq!(std::fs::read(dir.join("ca.crt")).expect("there"), before);
    succeeds(&["init", "--force"], dir).await;
    assert_ne!(std::fs::read(dir.join("ca.crt")).expect("there"), before);
}
