//! Credentials as they were read at one time: complete and consistent.

use super::files::{Contents, TlsError, TlsFiles, name};
use super::identity::{TrustDomain, Workload};
use super::validity;
use super::verify::PeerVerifier;
use rustls::crypto::{CryptoProvider, ring};
use rustls::pki_types::{CertificateDer, UnixTime};
use rustls::server::{NoServerSessionStorage, WebPkiClientVerifier};
use rustls::sign::{CertifiedKey, SingleCertAndKey};
use rustls::version::TLS13;
use rustls::{ClientConfig, RootCertStore, ServerConfig};
use std::sync::Arc;
use std::time::Duration;

/// The one protocol spoken over TLS.
pub(crate) const HTTP2: &[u8] = b"h2";

/// What a server does with clients that show no certificate.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Anonymous {
    /// They may connect; what they may call is decided per method.
    Admitted,
    /// Their handshake fails.
    Refused,
}

/// Credentials as they were read at one time.
#[derive(Debug)]
pub struct Snapshot {
    generation: u64,
    key: Arc<CertifiedKey>,
    roots: Option<Arc<RootCertStore>>,
    domain: TrustDomain,
    workload: Option<Workload>,
    not_after: UnixTime,
}

impl Snapshot {
    /// Puts together what was read.
    pub(super) fn new(
        generation: u64,
        files: &TlsFiles,
        contents: &Contents,
        domain: &TrustDomain,
    ) -> Result<Self, TlsError> {
        let path = || name(&files.certificate);
        let unusable = |error| TlsError::Unusable {
            path: path(),
            error,
        };
        let chain = files.chain(contents)?;
        let roots = files.roots(contents)?.map(Arc::new);
        let not_after = chain.first().and_then(validity::not_after);
        let not_after = not_after.map(since_epoch).ok_or_else(|| {
            unusable(rustls::Error::InvalidCertificate(
                rustls::CertificateError::BadEncoding,
            ))
        })?;
        if not_after <= UnixTime::now() {
            return Err(TlsError::Expired { path: path() });
        }
        // Where there are authorities there are identities, and then everybody has one.
        let workload = match (&roots, chain.first()) {
            (Some(_), Some(own)) => {
                Some(
                    domain
                        .workload_of(own)
                        .map_err(|error| TlsError::Identity {
                            path: path(),
                            error,
                        })?,
                )
            }
            _ => None,
        };
        let key = files.key(contents)?;
        let key = CertifiedKey::from_der(chain, key, &provider()).map_err(unusable)?;
        Ok(Self {
            generation,
            key: Arc::new(key),
            roots,
            domain: domain.clone(),
            workload,
            not_after,
        })
    }

    /// Counts the snapshots of one [`super::Credentials`].
    #[must_use]
    pub const fn generation(&self) -> u64 {
        self.generation
    }

    /// Whether connections carry identities: there are authorities to vouch for them.
    #[must_use]
    pub const fn has_identities(&self) -> bool {
        self.roots.is_some()
    }

    /// The workload that these credentials are for, when there are identities.
    #[must_use]
    pub const fn workload(&self) -> Option<&Workload> {
        self.workload.as_ref()
    }

    /// The trust domain of all workloads.
    #[must_use]
    pub const fn domain(&self) -> &TrustDomain {
        &self.domain
    }

    /// When the own certificate expires.
    #[must_use]
    pub const fn not_after(&self) -> UnixTime {
        self.not_after
    }

    /// What a server needs: TLS 1.3, HTTP/2, and clients checked against the authorities. Sessions are
    /// never resumed, so each connection proves itself to the credentials of its day.
    ///
    /// # Errors
    /// When the authorities cannot be used.
    pub fn server(&self, anonymous: Anonymous) -> Result<ServerConfig, rustls::Error> {
        let builder =
            ServerConfig::builder_with_provider(provider()).with_protocol_versions(&[&TLS13])?;
        let builder = match &self.roots {
            None => builder.with_no_client_auth(),
            Some(roots) => {
                let verifier =
                    WebPkiClientVerifier::builder_with_provider(Arc::clone(roots), provider());
                let verifier = match anonymous {
                    Anonymous::Admitted => verifier.allow_unauthenticated(),
                    Anonymous::Refused => verifier,
                };
                let verifier = verifier
                    .build()
                    .map_err(|error| rustls::Error::General(error.to_string()))?;
                builder.with_client_cert_verifier(verifier)
            }
        };
        let mut config = builder.with_cert_resolver(Arc::new(self.resolver()));
        config.alpn_protocols = vec![HTTP2.to_vec()];
        config.session_storage = Arc::new(NoServerSessionStorage {});
        config.send_tls13_tickets = 0;
        Ok(config)
    }

    /// What a client of the workload `peer` needs: the server must prove that it is that workload.
    ///
    /// # Errors
    /// When there are no authorities to believe.
    pub fn client(&self, peer: &str) -> Result<ClientConfig, rustls::Error> {
        let roots = self.roots.clone().ok_or_else(|| {
            rustls::Error::General("no authorities are configured to check the peer by".to_owned())
        })?;
        let peer = self
            .domain
            .workload(&self.domain.id(peer))
            .map_err(|error| rustls::Error::General(error.to_string()))?;
        let verifier = PeerVerifier::new(roots, self.domain.clone(), peer, &provider());
        let mut config = ClientConfig::builder_with_provider(provider())
            .with_protocol_versions(&[&TLS13])?
            .dangerous()
            .with_custom_certificate_verifier(Arc::new(verifier))
            .with_client_cert_resolver(Arc::new(self.resolver()));
        config.alpn_protocols = vec![HTTP2.to_vec()];
        config.resumption = rustls::client::Resumption::disabled();
        Ok(config)
    }

    /// The workload at the other end of a connection, whose certificate was checked in the handshake.
    #[must_use]
    pub fn workload_of(&self, certificates: Option<&[CertificateDer<'_>]>) -> Option<Workload> {
        let own = certificates?.first()?;
        self.domain
            .workload_of(own)
            .inspect_err(|error| tracing::debug!(%error, "a certificate without a usable identity"))
            .ok()
    }

    fn resolver(&self) -> SingleCertAndKey {
        SingleCertAndKey::from(Arc::clone(&self.key))
    }
}

fn provider() -> Arc<CryptoProvider> {
    Arc::new(ring::default_provider())
}

fn since_epoch(seconds: i64) -> UnixTime {
    UnixTime::since_unix_epoch(Duration::from_secs(u64::try_from(seconds).unwrap_or(0)))
}
