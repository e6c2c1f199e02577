//! A certificate as people ask about it: for whom, by whom, until when.

use anyhow::{Context, Result, ensure};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject as _;
use std::net::IpAddr;
use std::path::Path;
use x509_parser::extensions::GeneralName;
use x509_parser::prelude::{FromDer as _, X509Certificate};

/// More certificates than this in one file are a mistake.
const MAX_CERTIFICATES: usize = 64;
/// A line of PEM.
const PEM_LINE: usize = 64;

/// One certificate.
#[derive(Debug, Clone)]
pub(crate) struct Certificate {
    /// The certificate itself.
    pub(crate) der: CertificateDer<'static>,
    /// Whom it is for.
    pub(crate) subject: String,
    /// Who signed it.
    pub(crate) issuer: String,
    /// The URIs that it names; a workload's certificate names exactly one, its identity.
    pub(crate) uris: Vec<String>,
    /// The names of hosts, for clients that look for them.
    pub(crate) hosts: Vec<String>,
    /// The addresses, for clients that look for them.
    pub(crate) addresses: Vec<IpAddr>,
    /// The second from which it is valid, since the epoch.
    pub(crate) not_before: i64,
    /// The second after which it is worthless, since the epoch.
    pub(crate) not_after: i64,
    /// Whether it may sign others.
    pub(crate) is_authority: bool,
    /// The public key with its algorithm.
    pub(crate) public_key: Vec<u8>,
}

impl Certificate {
    /// Reads every certificate of a PEM file.
    pub(crate) fn read(path: &Path) -> Result<Vec<Self>> {
        let text = std::fs::read(path).with_context(|| path.display().to_string())?;
        Self::parse(&text).with_context(|| path.display().to_string())
    }

    /// Reads every certificate of a PEM text; there is at least one.
    pub(crate) fn parse(pem: &[u8]) -> Result<Vec<Self>> {
        let found: Vec<_> = CertificateDer::pem_slice_iter(pem)
            .take(MAX_CERTIFICATES + 1)
            .collect::<Result<_, _>>()
            .context("not in PEM form")?;
        ensure!(!found.is_empty(), "no certificate in PEM form");
        ensure!(
            found.len() <= MAX_CERTIFICATES,
            "more than {MAX_CERTIFICATES} certificates"
        );
        found.into_iter().map(Self::of).collect()
    }

    /// Reads one certificate.
    pub(crate) fn of(der: CertificateDer<'static>) -> Result<Self> {
        let (_, parsed) = X509Certificate::from_der(&der).context("an unreadable certificate")?;
        let (mut uris, mut hosts, mut addresses) = (Vec::new(), Vec::new(), Vec::new());
        if let Some(names) = parsed.subject_alternative_name()? {
            for name in &names.value.general_names {
                match name {
                    GeneralName::URI(uri) => uris.push((*uri).to_owned()),
                    GeneralName::DNSName(host) => hosts.push((*host).to_owned()),
                    GeneralName::IPAddress(bytes) => addresses.extend(address(bytes)),
                    _ => {}
                }
            }
        }
        Ok(Self {
            subject: parsed.subject().to_string(),
            issuer: parsed.issuer().to_string(),
            uris,
            hosts,
            addresses,
            not_before: parsed.validity().not_before.timestamp(),
            not_after: parsed.validity().not_after.timestamp(),
            is_authority: parsed.is_ca(),
            public_key: parsed.public_key().raw.to_vec(),
            der: der.clone(),
        })
    }

    /// Whether this authority signed the other certificate.
    pub(crate) fn signed(&self, other: &Self) -> bool {
        let own = X509Certificate::from_der(&self.der);
        let other = X509Certificate::from_der(&other.der);
        let (Ok((_, own)), Ok((_, other))) = (own, other) else {
            return false;
        };
        self.is_authority
            && own.subject() == other.issuer()
            && other.verify_signature(Some(own.public_key())).is_ok()
    }

    /// In PEM form.
    pub(crate) fn pem(&self) -> String {
        let mut text = "-----BEGIN CERTIFICATE-----\n".to_owned();
        let code = STANDARD.encode(&self.der);
        for line in code.as_bytes().chunks(PEM_LINE) {
            text.extend(line.iter().copied().map(char::from));
            text.push('\n');
        }
        text.push_str("-----END CERTIFICATE-----\n");
        text
    }
}

fn address(bytes: &[u8]) -> Option<IpAddr> {
    <[u8; 4]>::try_from(bytes)
        .map(IpAddr::from)
        .or_else(|_| <[u8; 16]>::try_from(bytes).map(IpAddr::from))
        .ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn rubbish_is_refused_without_a_panic(bytes in proptest::collection::vec(any::<u8>(), 0..300)) {
            prop_assert!(Certificate::parse(&bytes).is_err());
            prop_assert!(Certificate::of(CertificateDer::from(bytes)).is_err());
        }
    }
}
