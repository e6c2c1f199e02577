//! Clients that show what no honest workload would: nothing, or an expired certificate.

use anyhow::Result;
use cleave_e2e::identities::Issued;
use cleave_mesh::tls::Credentials;
use cleave_mesh::{BoxIo, Connect, Mesh, MeshChannel};
use futures::future::BoxFuture;
use rustls::client::ResolvesClientCert;
use rustls::crypto::ring;
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use rustls::sign::{CertifiedKey, SingleCertAndKey};
use rustls::{ClientConfig, ServerConfig, SignatureScheme};
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use tokio::net::{TcpListener, TcpStream};
use tokio_rustls::{TlsAcceptor, TlsConnector};

/// TLS by a configuration of the test's own.
struct Raw(Arc<ClientConfig>);

impl Connect for Raw {
    fn connect(&self, address: &str) -> BoxFuture<'static, io::Result<BoxIo>> {
        let (config, address) = (Arc::clone(&self.0), address.to_owned());
        Box::pin(async move {
            let stream = TcpStream::connect(address).await?;
            let name = ServerName::try_from("any.invalid").map_err(io::Error::other)?;
            let stream = TlsConnector::from(config).connect(name, stream).await?;
            let io: BoxIo = Box::new(stream);
            Ok(io)
        })
    }
}

/// Shows no certificate.
#[derive(Debug)]
struct Nothing;

impl ResolvesClientCert for Nothing {
    fn resolve(&self, _: &[&[u8]], _: &[SignatureScheme]) -> Option<Arc<CertifiedKey>> {
        None
    }

    fn has_certs(&self) -> bool {
        false
    }
}

fn certified(issued: &Issued) -> Result<CertifiedKey> {
    let chain = vec![CertificateDer::from_pem_slice(
        issued.certificate().as_bytes(),
    )?];
    let key = PrivateKeyDer::from_pem_slice(issued.key().as_bytes())?;
    Ok(CertifiedKey::from_der(
        chain,
        key,
        &ring::default_provider(),
    )?)
}

/// A channel to the workload `peer` at `address` that believes what `credentials` do, and shows `issued` or
/// nothing.
pub(crate) fn channel(
    credentials: &Credentials,
    peer: &str,
    address: SocketAddr,
    issued: Option<&Issued>,
) -> Result<MeshChannel> {
    let mut config = credentials.current().client(peer)?;
    config.client_auth_cert_resolver = match issued {
        None => Arc::new(Nothing),
        Some(issued) => Arc::new(SingleCertAndKey::from(certified(issued)?)),
    };
    let mesh = Mesh::builder(cleave_contracts::POLICIES)
        .connect(Arc::new(Raw(Arc::new(config))))
        .peer(peer, &address.to_string())
        .build()?;
    Ok(mesh.to(peer)?)
}

/// A server that shows this certificate and never gets beyond the handshake.
pub(crate) async fn impostor(issued: &Issued) -> Result<SocketAddr> {
    let resolver = SingleCertAndKey::from(certified(issued)?);
    let provider = Arc::new(ring::default_provider());
    let mut config = ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()?
        .with_no_client_auth()
        .with_cert_resolver(Arc::new(resolver));
    config.alpn_protocols = vec![b"h2".to_vec()];
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let address = listener.local_addr()?;
    tokio::spawn(async move {
        let acceptor = TlsAcceptor::from(Arc::new(config));
        while let Ok((stream, _)) = listener.accept().await {
            // What comes of it is for the client to say.
            let _ = acceptor.accept(stream).await;
        }
    });
    Ok(address)
}
