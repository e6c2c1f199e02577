//! The files that credentials come from.

use super::identity::IdentityError;
use rustls::RootCertStore;
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use std::path::{Path, PathBuf};

/// Where credentials are. All files are PEM.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TlsFiles {
    /// The own certificate, followed by those between it and the authority.
    pub certificate: PathBuf,
    /// The key of the own certificate.
    pub key: PathBuf,
    /// The authorities whose certificates are believed, several during a change of authority. Without
    /// them nobody has an identity.
    pub authority: Option<PathBuf>,
}

/// Credentials that cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum TlsError {
    /// A file that cannot be read.
    #[error("{path}: {error}")]
    File {
        /// The file.
        path: String,
        /// What the system says.
        error: std::io::Error,
    },
    /// A file that does not hold what it should.
    #[error("{path}: no {what} in PEM form")]
    Pem {
        /// The file.
        path: String,
        /// What it should hold.
        what: &'static str,
    },
    /// The own certificate tells no workload.
    #[error("{path}: {error}")]
    Identity {
        /// The file.
        path: String,
        /// What is wrong.
        error: IdentityError,
    },
    /// The own certificate has expired.
    #[error("{path}: the certificate has expired")]
    Expired {
        /// The file.
        path: String,
    },
    /// Key, certificate or authorities do not fit together.
    #[error("{path}: {error}")]
    Unusable {
        /// The file.
        path: String,
        /// What the TLS library says.
        error: rustls::Error,
    },
}

/// What the files held when they were read.
#[derive(PartialEq, Eq)]
pub(super) struct Contents {
    certificate: Vec<u8>,
    key: Vec<u8>,
    authority: Option<Vec<u8>>,
}

impl TlsFiles {
    /// Reads all files.
    pub(super) fn read(&self) -> Result<Contents, TlsError> {
        let authority = self.authority.as_deref();
        Ok(Contents {
            certificate: read(&self.certificate)?,
            key: read(&self.key)?,
            authority: authority.map(read).transpose()?,
        })
    }

    /// The own certificate and those that lead to its authority.
    pub(super) fn chain(
        &self,
        contents: &Contents,
    ) -> Result<Vec<CertificateDer<'static>>, TlsError> {
        certificates(&contents.certificate, &self.certificate)
    }

    /// The key.
    pub(super) fn key(&self, contents: &Contents) -> Result<PrivateKeyDer<'static>, TlsError> {
        PrivateKeyDer::from_pem_slice(&contents.key).map_err(|_| TlsError::Pem {
            path: name(&self.key),
            what: "private key",
        })
    }

    /// The authorities; `None` when there is no file of them.
    pub(super) fn roots(&self, contents: &Contents) -> Result<Option<RootCertStore>, TlsError> {
        let (Some(path), Some(pem)) = (&self.authority, &contents.authority) else {
            return Ok(None);
        };
        let mut roots = RootCertStore::empty();
        for certificate in certificates(pem, path)? {
            roots.add(certificate).map_err(|error| TlsError::Unusable {
                path: name(path),
                error,
            })?;
        }
        Ok(Some(roots))
    }
}

fn read(path: &Path) -> Result<Vec<u8>, TlsError> {
    std::fs::read(path).map_err(|error| TlsError::File {
        path: name(path),
        error,
    })
}

/// At least one certificate.
fn certificates(pem: &[u8], path: &Path) -> Result<Vec<CertificateDer<'static>>, TlsError> {
    let found: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(pem).collect();
    found
        .ok()
        .filter(|found| !found.is_empty())
        .ok_or_else(|| TlsError::Pem {
            path: name(path),
            what: "certificate",
        })
}

pub(super) fn name(path: &Path) -> String {
    path.display().to_string()
}
