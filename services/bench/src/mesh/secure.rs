//! What the settings over TLS need: an authority of the run's own, and a certificate for each side, as files.

use anyhow::Result;
use cleave_mesh::tls::{Credentials, TlsFiles, TrustDomain};
use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair, SanType};
use std::fs;
use std::path::{Path, PathBuf};
use tonic::transport::{Certificate, ClientTlsConfig, Identity, ServerTlsConfig};

/// Whose workloads they are.
const DOMAIN: &str = "cleave.local";
/// The workload that is called.
pub(super) const SERVER: &str = "billing";
/// The workload that calls.
pub(super) const CALLER: &str = "operations";

/// A folder of certificates and keys.
#[derive(Debug, Clone)]
pub(crate) struct Secure(PathBuf);

impl Secure {
    /// Those that lie in this folder.
    pub(crate) const fn at(folder: PathBuf) -> Self {
        Self(folder)
    }

    /// Makes them.
    ///
    /// # Errors
    /// When the folder cannot be written to.
    pub(super) fn make(folder: &Path) -> Result<Self> {
        let mut params = CertificateParams::default();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let authority = CertifiedIssuer::self_signed(params, KeyPair::generate()?)?;
        fs::write(folder.join("ca.crt"), authority.pem())?;
        for workload in [SERVER, CALLER] {
            let id = TrustDomain::parse(DOMAIN)?.id(workload);
            // The mesh looks for the identity, tonic's client for the name.
            let names = [
                SanType::URI(id.as_str().try_into()?),
                SanType::DnsName(workload.try_into()?),
            ];
            let mut params = CertificateParams::default();
            params.subject_alt_names = names.into();
            let key = KeyPair::generate()?;
            let certificate = params.signed_by(&key, &authority)?;
            fs::write(folder.join(format!("{workload}.crt")), certificate.pem())?;
            fs::write(folder.join(format!("{workload}.key")), key.serialize_pem())?;
        }
        Ok(Self(folder.to_owned()))
    }

    /// Where they are.
    pub(super) fn folder(&self) -> &Path {
        &self.0
    }

    /// For tonic's server.
    ///
    /// # Errors
    /// When a file is missing.
    pub(crate) fn server(&self) -> Result<ServerTlsConfig> {
        Ok(ServerTlsConfig::new()
            .identity(self.identity(SERVER)?)
            .client_ca_root(self.authority()?))
    }

    /// For tonic's client.
    ///
    /// # Errors
    /// When a file is missing.
    pub(super) fn client(&self) -> Result<ClientTlsConfig> {
        Ok(ClientTlsConfig::new()
            .domain_name(SERVER)
            .identity(self.identity(CALLER)?)
            .ca_certificate(self.authority()?))
    }

    /// For the mesh, and for whoever wants the same without it.
    ///
    /// # Errors
    /// When a file is missing.
    pub(super) fn credentials(&self) -> Result<Credentials> {
        let files = TlsFiles {
            certificate: self.file(CALLER, "crt"),
            key: self.file(CALLER, "key"),
            authority: Some(self.file("ca", "crt")),
        };
        Ok(Credentials::load(files, TrustDomain::parse(DOMAIN)?)?)
    }

    fn identity(&self, workload: &str) -> Result<Identity> {
        let certificate = fs::read(self.file(workload, "crt"))?;
        let key = fs::read(self.file(workload, "key"))?;
        Ok(Identity::from_pem(certificate, key))
    }

    fn authority(&self) -> Result<Certificate> {
        Ok(Certificate::from_pem(fs::read(self.file("ca", "crt"))?))
    }

    fn file(&self, name: &str, kind: &str) -> PathBuf {
        self.0.join(format!("{name}.{kind}"))
    }
}
