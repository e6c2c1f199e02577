//! SPIFFE IDs: the one URI in a certificate that says which workload holds it.

use rustls::pki_types::CertificateDer;
use std::fmt;
use std::sync::Arc;
use webpki::EndEntityCert;

/// What every SPIFFE ID begins with.
const SCHEME: &str = "spiffe://";
/// SPIFFE allows no longer ID.
const MAX_ID: usize = 2_048;

/// Why a certificate or a text tells no workload.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum IdentityError {
    /// The text is no trust domain.
    #[error("{0:?} is not a trust domain such as \"cleave.local\" or \"cluster.local/ns/prod/sa\"")]
    TrustDomain(String),
    /// The bytes are no certificate.
    #[error("the certificate cannot be read")]
    Unreadable,
    /// A certificate without an identity.
    #[error("the certificate holds no SPIFFE ID")]
    Missing,
    /// A certificate with more than one, which SPIFFE forbids.
    #[error("the certificate holds more than one URI")]
    Ambiguous,
    /// An identity of another trust domain, or not of the form used here.
    #[error("{0:?} is not a workload of {1}")]
    Foreign(String, TrustDomain),
}

/// The part that the SPIFFE IDs of all workloads share.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TrustDomain(Arc<str>);

impl fmt::Display for TrustDomain {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{SCHEME}{}", self.0)
    }
}

/// The name of a workload, as the policies of methods know it.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Workload(Arc<str>);

impl Workload {
    /// The name.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.0
    }

    /// The name, shared.
    #[must_use]
    pub fn shared(&self) -> Arc<str> {
        Arc::clone(&self.0)
    }
}

impl fmt::Display for Workload {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl TrustDomain {
    /// Reads a trust domain, with a path where workloads live deeper: `cluster.local/ns/prod/sa`.
    ///
    /// # Errors
    /// When it holds anything but segments of letters, digits, dots, dashes and underscores.
    pub fn parse(text: &str) -> Result<Self, IdentityError> {
        if text.split('/').all(is_segment) {
            Ok(Self(Arc::from(text)))
        } else {
            Err(IdentityError::TrustDomain(text.to_owned()))
        }
    }

    /// The SPIFFE ID of a workload.
    #[must_use]
    pub fn id(&self, workload: &str) -> String {
        format!("{self}/{workload}")
    }

    /// The workload of a SPIFFE ID: exactly one segment below this domain.
    ///
    /// # Errors
    /// When it is anything else.
    pub fn workload(&self, id: &str) -> Result<Workload, IdentityError> {
        id.strip_prefix(SCHEME)
            .filter(|_| id.len() <= MAX_ID)
            .and_then(|rest| rest.strip_prefix(&*self.0))
            .and_then(|rest| rest.strip_prefix('/'))
            .filter(|name| is_segment(name))
            .map(|name| Workload(Arc::from(name)))
            .ok_or_else(|| IdentityError::Foreign(id.to_owned(), self.clone()))
    }

    /// The workload that a certificate is for. Whether to believe the certificate is another question.
    ///
    /// # Errors
    /// When it names none, several, or one of another domain.
    pub fn workload_of(&self, certificate: &CertificateDer<'_>) -> Result<Workload, IdentityError> {
        let certificate =
            EndEntityCert::try_from(certificate).map_err(|_| IdentityError::Unreadable)?;
        let mut names = certificate.valid_uri_names();
        let id = names.next().ok_or(IdentityError::Missing)?;
        if names.next().is_some() {
            return Err(IdentityError::Ambiguous);
        }
        self.workload(id)
    }
}

fn is_segment(text: &str) -> bool {
    let allowed = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '-' | '_');
    !text.is_empty() && text != "." && text != ".." && text.chars().all(allowed)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn whatever_is_taken_for_a_workload_is_the_one_that_the_id_names(id in "spiffe://a\\.b(/[a-z./%\u{e9}]{0,6}){0,3}") {
            let domain = TrustDomain::parse("a.b").expect("domain");
            if let Ok(workload) = domain.workload(&id) {
                prop_assert_eq!(domain.id(workload.name()), id);
            }
        }

        #[test]
        fn rubbish_is_no_certificate(bytes in proptest::collection::vec(any::<u8>(), 0..300)) {
            let domain = TrustDomain::parse("a.b").expect("domain");
            prop_assert!(domain.workload_of(&CertificateDer::from(bytes)).is_err());
        }
    }

    #[test]
    fn a_workload_is_one_segment_below_the_domain_and_nothing_else() {
        let domain = TrustDomain::parse("cluster.local/ns/prod/sa").expect("domain");
        let id = domain.id("billing");
        assert_eq!(id, "spiffe://cluster.local/ns/prod/sa/billing");
        assert_eq!(domain.workload(&id).expect("workload").name(), "billing");
        for foreign in [
            "spiffe://cluster.local/ns/test/sa/billing",
            "spiffe://cluster.local/ns/prod/sa",
            "spiffe://cluster.local/ns/prod/sa/",
            "spiffe://cluster.local/ns/prod/sa/..",
            "spiffe://cluster.local/ns/prod/sa/billing/x",
            "spiffe://cluster.local/ns/prod/sabilling",
            "https://cluster.local/ns/prod/sa/billing",
            "billing",
            "",
        ] {
            domain.workload(foreign).expect_err(foreign);
        }
    }

    #[test]
    fn a_trust_domain_with_empty_or_odd_segments_is_refused() {
        for wrong in ["", "/", "a//b", "spiffe://a", "a b", "a/../b", "a/"] {
            TrustDomain::parse(wrong).expect_err(wrong);
        }
    }
}
