//! The section on TLS: who the service is, and whom it lets ask for what.

use super::duration;
use super::fault::Faults;
use super::loader::Validate;
use cleave_mesh::tls::{Credentials, TlsFiles, TrustDomain};
use serde::Deserialize;
use std::path::PathBuf;
use std::time::Duration;

/// Who may call services that no contract governs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Access {
    /// Also those who show no certificate.
    Everyone,
    /// Every workload of the trust domain.
    Identified,
    /// No one.
    Nobody,
}

/// Who the service is and whom it believes; the keys are documented in the defaults.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TlsSettings {
    /// The own certificate; empty for plaintext.
    pub certificate: String,
    /// The key of the own certificate.
    pub key: String,
    /// The authorities of all workloads; empty when callers have no identities.
    pub authority: String,
    /// What the SPIFFE IDs of all workloads begin with.
    pub trust_domain: String,
    /// How often the files are read again.
    #[serde(with = "duration")]
    pub reload_period: Duration,
    /// Who may ask for the service's health.
    pub health: Access,
    /// Who may ask what the service serves.
    pub reflection: Access,
    /// Who may ask whether their contract is the service's own.
    pub contract: Access,
}

impl TlsSettings {
    /// Whether the port speaks TLS.
    #[must_use]
    pub const fn is_on(&self) -> bool {
        !self.certificate.is_empty()
    }

    /// The files to read, when the port speaks TLS.
    #[must_use]
    pub fn files(&self) -> Option<TlsFiles> {
        self.is_on().then(|| TlsFiles {
            certificate: PathBuf::from(&self.certificate),
            key: PathBuf::from(&self.key),
            authority: (!self.authority.is_empty()).then(|| PathBuf::from(&self.authority)),
        })
    }

    /// What the files hold, when the port speaks TLS. The host that gets it follows the files.
    ///
    /// # Errors
    /// When they cannot be used.
    pub fn credentials(&self) -> anyhow::Result<Option<Credentials>> {
        let Some(files) = self.files() else {
            return Ok(None);
        };
        let domain = TrustDomain::parse(&self.trust_domain)?;
        Ok(Some(Credentials::load(files, domain)?))
    }
}

impl Validate for TlsSettings {
    fn validate(&self, faults: &mut Faults) {
        if self.is_on() == self.key.is_empty() {
            faults.add(
                "host.tls.key",
                "certificate and key go together",
                "give both files, or neither",
            );
        }
        if !self.is_on() && !self.authority.is_empty() {
            faults.add(
                "host.tls.authority",
                "callers cannot prove who they are over plaintext",
                "give host.tls.certificate and host.tls.key as well",
            );
        }
        if let Err(error) = TrustDomain::parse(&self.trust_domain) {
            faults.add(
                "host.tls.trust_domain",
                error.to_string(),
                "give the part between spiffe:// and the workload",
            );
        }
        if self.reload_period.is_zero() {
            faults.add(
                "host.tls.reload_period",
                "must not be zero",
                "give a duration such as \"10s\"",
            );
        }
    }
}
