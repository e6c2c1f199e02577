//! A development authority, and the files by which workloads prove who they are.

use anyhow::{Context as _, Result};
use cleave_mesh::tls::{Credentials, TlsFiles, TrustDomain};
use rcgen::{
    BasicConstraints, CertificateParams, CertifiedIssuer, DnType, IsCa, KeyPair, SanType,
    date_time_ymd,
};
use std::fs;
use std::path::{Path, PathBuf};
use tempfile::TempDir;

/// The trust domain that services go by unless they are told otherwise.
const DOMAIN: &str = "cleave.local";

/// Vouches for workloads.
pub struct Authority(CertifiedIssuer<'static, KeyPair>);

/// A certificate and its key, as PEM.
#[derive(Debug, Clone)]
pub struct Issued {
    certificate: String,
    key: String,
}

impl Authority {
    /// A new one, that nobody believes yet.
    ///
    /// # Errors
    /// When no key can be made.
    pub fn new() -> Result<Self> {
        let mut params = CertificateParams::default();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        // Two of one name could not be told apart but by their signatures.
        let name = format!("development authority {}", uuid::Uuid::new_v4());
        params.distinguished_name.push(DnType::CommonName, name);
        let key = KeyPair::generate()?;
        Ok(Self(CertifiedIssuer::self_signed(params, key)?))
    }

    /// Its certificate, as PEM; several one after another are a bundle.
    #[must_use]
    pub fn pem(&self) -> String {
        self.0.pem()
    }

    /// A certificate for a workload.
    ///
    /// # Errors
    /// When it cannot be made.
    pub fn issue(&self, workload: &str) -> Result<Issued> {
        self.sign(workload, CertificateParams::default())
    }

    /// A certificate that expired long ago.
    ///
    /// # Errors
    /// When it cannot be made.
    pub fn issue_expired(&self, workload: &str) -> Result<Issued> {
        let mut params = CertificateParams::default();
        params.not_before = date_time_ymd(2001, 1, 1);
        params.not_after = date_time_ymd(2001, 2, 1);
        self.sign(workload, params)
    }

    fn sign(&self, workload: &str, mut params: CertificateParams) -> Result<Issued> {
        let id = TrustDomain::parse(DOMAIN)?.id(workload);
        params.subject_alt_names = vec![SanType::URI(id.as_str().try_into()?)];
        let key = KeyPair::generate()?;
        let certificate = params.signed_by(&key, &self.0)?;
        Ok(Issued {
            certificate: certificate.pem(),
            key: key.serialize_pem(),
        })
    }
}

impl Issued {
    /// The certificate, as PEM.
    #[must_use]
    pub fn certificate(&self) -> &str {
        &self.certificate
    }

    /// The key, as PEM.
    #[must_use]
    pub fn key(&self) -> &str {
        &self.key
    }
}

/// The files of one workload, in a folder that lives as long as this.
#[derive(Debug)]
pub struct Identity {
    folder: TempDir,
}

impl Identity {
    /// The files of `workload`, vouched for by `authority`, which alone it believes.
    ///
    /// # Errors
    /// When they cannot be made.
    pub fn new(authority: &Authority, workload: &str) -> Result<Self> {
        let folder = tempfile::tempdir()?;
        let identity = Self { folder };
        identity.believe(&authority.pem())?;
        identity.prove(&authority.issue(workload)?)?;
        Ok(identity)
    }

    /// From now on it believes these authorities.
    ///
    /// # Errors
    /// When the file cannot be written.
    pub fn believe(&self, authorities: &str) -> Result<()> {
        put(&self.path("ca.crt"), authorities)
    }

    /// From now on it shows this certificate.
    ///
    /// # Errors
    /// When the files cannot be written.
    pub fn prove(&self, issued: &Issued) -> Result<()> {
        put(&self.path("tls.key"), &issued.key)?;
        put(&self.path("tls.crt"), &issued.certificate)
    }

    /// Where the files are.
    #[must_use]
    pub fn files(&self) -> TlsFiles {
        TlsFiles {
            certificate: self.path("tls.crt"),
            key: self.path("tls.key"),
            authority: Some(self.path("ca.crt")),
        }
    }

    /// What a client of these tests goes by.
    ///
    /// # Errors
    /// When the files cannot be used.
    pub fn credentials(&self) -> Result<Credentials> {
        let domain = TrustDomain::parse(DOMAIN)?;
        Credentials::load(self.files(), domain).context("the files of a workload")
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }
}

/// Writes a file whole: whoever reads it meanwhile sees the old one or the new one.
fn put(path: &Path, text: &str) -> Result<()> {
    let beside = path.with_extension("new");
    fs::write(&beside, text)?;
    fs::rename(&beside, path)?;
    Ok(())
}
