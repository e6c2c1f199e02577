//! A development authority, its workloads, and clients that show their certificates.

use cleave_mesh::tls::{Credentials, TlsFiles, TrustDomain};
use hyper_util::rt::TokioIo;
use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair, SanType};
use rustls::ClientConfig;
use rustls::client::ResolvesClientCert;
use rustls::pki_types::ServerName;
use rustls::sign::CertifiedKey;
use std::io;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use tempfile::TempDir;
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;
use tonic::transport::{Channel, Endpoint};

/// The service under test.
pub(crate) const SERVER: &str = "test";

pub(crate) struct Authority(CertifiedIssuer<'static, KeyPair>);

/// Files of one workload.
pub(crate) struct Files(TempDir);

pub(crate) fn domain() -> TrustDomain {
    TrustDomain::parse("cleave.local").expect("domain")
}

impl Authority {
    pub(crate) fn new() -> Self {
        let mut params = CertificateParams::default();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let key = KeyPair::generate().expect("key");
        Self(CertifiedIssuer::self_signed(params, key).expect("authority"))
    }

    pub(crate) fn pem(&self) -> String {
        self.0.pem()
    }

    /// A certificate of this workload and its key.
    pub(crate) fn issue(&self, workload: &str) -> (String, String) {
        let mut params = CertificateParams::default();
        let id = domain().id(workload).as_str().try_into().expect("ascii");
        params.subject_alt_names = vec![SanType::URI(id)];
        let key = KeyPair::generate().expect("key");
        let certificate = params.signed_by(&key, &self.0).expect("signed");
        (certificate.pem(), key.serialize_pem())
    }

    /// The files of a workload.
    pub(crate) fn files(&self, workload: &str) -> Files {
        let files = Files(TempDir::new().expect("dir"));
        files.trust(&self.pem());
        files.own(self.issue(workload));
        files
    }
}

impl Files {
    fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    pub(crate) fn trust(&self, authorities: &str) {
        std::fs::write(self.path("ca.crt"), authorities).expect("written");
    }

    pub(crate) fn own(&self, (certificate, key): (String, String)) {
        std::fs::write(self.path("tls.key"), key).expect("written");
        std::fs::write(self.path("tls.crt"), certificate).expect("written");
    }

    /// What a client loads.
    pub(crate) fn credentials(&self) -> Credentials {
        let files = TlsFiles {
            certificate: self.path("tls.crt"),
            key: self.path("tls.key"),
            authority: Some(self.path("ca.crt")),
        };
        Credentials::load(files, domain()).expect("credentials")
    }

    /// What a server is told, beside other changes.
    pub(crate) fn settings(&self) -> [(&'static str, String); 4] {
        let text = |path: &Path| path.display().to_string();
        [
            ("host.tls.certificate", text(&self.path("tls.crt"))),
            ("host.tls.key", text(&self.path("tls.key"))),
            ("host.tls.authority", text(&self.path("ca.crt"))),
            ("host.tls.reload_period", "5ms".to_owned()),
        ]
    }
}

/// A client's configuration that shows the workload's certificate.
pub(crate) fn identified(credentials: &Credentials) -> ClientConfig {
    credentials.current().client(SERVER).expect("client")
}

/// One that believes the server and shows nothing.
pub(crate) fn anonymous(credentials: &Credentials) -> ClientConfig {
    let mut config = identified(credentials);
    config.client_auth_cert_resolver = Arc::new(Nothing);
    config
}

#[derive(Debug)]
struct Nothing;

impl ResolvesClientCert for Nothing {
    fn resolve(&self, _: &[&[u8]], _: &[rustls::SignatureScheme]) -> Option<Arc<CertifiedKey>> {
        None
    }

    fn has_certs(&self) -> bool {
        false
    }
}

pub(crate) async fn dial(
    address: SocketAddr,
    config: ClientConfig,
) -> io::Result<TlsStream<TcpStream>> {
    let stream = TcpStream::connect(address).await?;
    let name = ServerName::try_from("any.invalid").expect("name");
    TlsConnector::from(Arc::new(config))
        .connect(name, stream)
        .await
}

/// A tonic channel over one TLS connection.
pub(crate) async fn connect(
    address: SocketAddr,
    config: ClientConfig,
) -> Result<Channel, tonic::transport::Error> {
    let connector = tower::service_fn(move |_: http::Uri| {
        let config = config.clone();
        async move { dial(address, config).await.map(TokioIo::new) }
    });
    Endpoint::from_static("http://any.invalid")
        .connect_with_connector(connector)
        .await
}
