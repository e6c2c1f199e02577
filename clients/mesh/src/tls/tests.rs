//! Credentials out of real files, made by a development authority.

use super::{Anonymous, Credentials, TlsFiles, TrustDomain};
use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair, SanType};
use rustls::pki_types::ServerName;
use std::path::Path;
use std::sync::Arc;
use tempfile::TempDir;
use tokio_rustls::{TlsAcceptor, TlsConnector};

type Authority = CertifiedIssuer<'static, KeyPair>;

fn authority() -> Authority {
    let mut params = CertificateParams::default();
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    CertifiedIssuer::self_signed(params, KeyPair::generate().expect("key")).expect("authority")
}

/// A certificate with these URIs and its key, as PEM.
fn issue(authority: &Authority, uris: &[&str]) -> (String, String) {
    let mut params = CertificateParams::default();
    params.subject_alt_names = uris
        .iter()
        .map(|uri| SanType::URI((*uri).try_into().expect("ascii")))
        .collect();
    let key = KeyPair::generate().expect("key");
    let certificate = params.signed_by(&key, authority).expect("signed");
    (certificate.pem(), key.serialize_pem())
}

fn files(dir: &Path) -> TlsFiles {
    TlsFiles {
        certificate: dir.join("tls.crt"),
        key: dir.join("tls.key"),
        authority: Some(dir.join("ca.crt")),
    }
}

fn write(dir: &Path, authority: &Authority, (certificate, key): (String, String)) {
    std::fs::write(dir.join("ca.crt"), authority.pem()).expect("written");
    std::fs::write(dir.join("tls.crt"), certificate).expect("written");
    std::fs::write(dir.join("tls.key"), key).expect("written");
}

fn domain() -> TrustDomain {
    TrustDomain::parse("cleave.test").expect("domain")
}

fn workload(authority: &Authority, name: &str) -> (TempDir, Credentials) {
    let dir = TempDir::new().expect("dir");
    write(
        dir.path(),
        authority,
        issue(authority, &[&domain().id(name)]),
    );
    let credentials = Credentials::load(files(dir.path()), domain()).expect("loaded");
    (dir, credentials)
}

/// A handshake over a pipe: whom the server sees, or what the client says went wrong.
async fn shake(
    server: &Credentials,
    client: &Credentials,
    peer: &str,
) -> Result<Option<String>, String> {
    let (near, far) = tokio::io::duplex(16 * 1024);
    let snapshot = server.current();
    let config = snapshot.server(Anonymous::Refused).expect("server");
    let accepting = TlsAcceptor::from(Arc::new(config)).accept(far);
    let config = client.current().client(peer).expect("client");
    let name = ServerName::try_from("peer.invalid").expect("name");
    let connecting = TlsConnector::from(Arc::new(config)).connect(name, near);
    let (accepted, connected) = tokio::join!(accepting, connecting);
    connected.map_err(|error| error.to_string())?;
    let accepted = accepted.map_err(|error| error.to_string())?;
    let caller = snapshot.workload_of(accepted.get_ref().1.peer_certificates());
    Ok(caller.map(|workload| workload.name().to_owned()))
}

#[tokio::test]
async fn each_end_knows_the_workload_at_the_other() {
    let authority = authority();
    let (_a, billing) = workload(&authority, "billing");
    let (_b, operations) = workload(&authority, "operations");

    let seen = shake(&billing, &operations, "billing").await;

    assert_eq!(seen, Ok(Some("operations".to_owned())));
}

#[tokio::test]
async fn a_server_that_is_another_workload_is_refused() {
    let authority = authority();
    let (_a, billing) = workload(&authority, "billing");
    let (_b, operations) = workload(&authority, "operations");

    let refused = shake(&billing, &operations, "operations").await;

    let problem = refused.expect_err("refused");
    assert!(problem.contains("the server is billing"), "{problem}");
}

#[tokio::test]
async fn nobody_believes_another_authority() {
    let (_a, billing) = workload(&authority(), "billing");
    let (_b, stranger) = workload(&authority(), "operations");

    shake(&billing, &stranger, "billing")
        .await
        .expect_err("refused");
}

#[test]
fn a_certificate_must_name_exactly_one_workload_of_the_domain() {
    let authority = authority();
    for uris in [
        &[][..],
        &["spiffe://elsewhere/billing"],
        &["spiffe://cleave.test/a", "spiffe://cleave.test/b"],
    ] {
        let dir = TempDir::new().expect("dir");
        write(dir.path(), &authority, issue(&authority, uris));
        Credentials::load(files(dir.path()), domain()).expect_err("refused");
    }
}

#[test]
fn new_files_are_taken_and_bad_ones_leave_the_old_in_force() {
    let authority = authority();
    let (dir, credentials) = workload(&authority, "billing");
    let mut changes = credentials.changes();
    assert!(!credentials.reload().expect("unchanged"));

    // The certificate of another key: as seen between two writes of a rotation.
    let (certificate, key) = issue(&authority, &[&domain().id("billing")]);
    std::fs::write(dir.path().join("tls.crt"), certificate).expect("written");
    credentials
        .reload()
        .expect_err("key and certificate differ");
    std::fs::write(dir.path().join("ca.crt"), "rubbish").expect("written");
    credentials.reload().expect_err("no authority");
    assert_eq!(credentials.current().generation(), 1);
    assert!(!changes.has_changed().expect("open"));

    std::fs::write(dir.path().join("tls.key"), key).expect("written");
    std::fs::write(dir.path().join("ca.crt"), authority.pem()).expect("written");
    assert!(credentials.reload().expect("good again"));
    assert_eq!(*changes.borrow_and_update(), 2);
}
