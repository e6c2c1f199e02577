//! A development authority: makes certificates, and is one itself.

use super::certificate::Certificate;
use anyhow::{Context, Result, bail};
use cleave_kernel::{Clock as _, SystemClock};
use rcgen::{
    BasicConstraints, CertificateParams, DistinguishedName, DnType, ExtendedKeyUsagePurpose, IsCa,
    Issuer, KeyPair, KeyUsagePurpose, PublicKeyData as _, SanType, date_time_ymd,
};
use std::net::IpAddr;
use std::time::Duration;

/// Certificates are valid from a little earlier on, for machines whose clocks are behind.
const BACKDATE: Duration = Duration::from_secs(300);
/// Certificates can name no later second: the end of the year 9999.
const END_OF_TIME: u64 = 253_402_300_799;

/// Something with its private key, as PEM.
#[derive(Debug)]
pub(super) struct Issued {
    pub(super) certificate: String,
    pub(super) key: String,
}

/// What a workload's certificate says.
#[derive(Debug, Clone)]
pub(super) struct Workload {
    /// Its SPIFFE ID.
    pub(super) id: String,
    /// Names of hosts, for clients that look for them: grpcurl, browsers.
    pub(super) hosts: Vec<String>,
    /// Addresses, for the same clients.
    pub(super) addresses: Vec<IpAddr>,
}

/// An authority that can sign.
pub(super) struct Authority {
    pub(super) certificate: Certificate,
    issuer: Issuer<'static, KeyPair>,
}

impl Authority {
    /// A new one for the trust domain, and its files.
    pub(super) fn make(trust_domain: &str, lifetime: Duration) -> Result<(Self, Issued)> {
        let key = KeyPair::generate()?;
        let mut params = params(lifetime, END_OF_TIME);
        // Two authorities of one domain are told apart by the number.
        let number = fastrand::u32(..);
        let name = format!("{trust_domain} authority {number:08x}");
        params.distinguished_name.push(DnType::CommonName, name);
        params.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
        params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
        let made = params.self_signed(&key)?;
        let issued = Issued {
            certificate: made.pem(),
            key: key.serialize_pem(),
        };
        let certificate = Certificate::of(made.der().clone())?;
        let issuer = Issuer::from_ca_cert_der(&certificate.der, key)?;
        let authority = Self {
            certificate,
            issuer,
        };
        Ok((authority, issued))
    }

    /// The one among `believed` whose key this is.
    pub(super) fn with_key(key: &str, believed: &[Certificate]) -> Result<Self> {
        let key = KeyPair::from_pem(key).context("not a private key in PEM form")?;
        let public = key.subject_public_key_info();
        let Some(own) = believed.iter().find(|one| one.public_key == public) else {
            bail!("the key belongs to none of the authorities in ca.crt");
        };
        Ok(Self {
            certificate: own.clone(),
            issuer: Issuer::from_ca_cert_der(&own.der, key)?,
        })
    }

    /// A certificate with a new key. It does not outlive the authority.
    pub(super) fn issue(&self, workload: &Workload, lifetime: Duration) -> Result<Issued> {
        let key = KeyPair::generate()?;
        let mut params = params(lifetime, u64::try_from(self.certificate.not_after)?);
        let name = workload.id.rsplit('/').next().unwrap_or(&workload.id);
        params.distinguished_name.push(DnType::CommonName, name);
        params.subject_alt_names = vec![SanType::URI(workload.id.as_str().try_into()?)];
        for host in &workload.hosts {
            let host = host.as_str().try_into()?;
            params.subject_alt_names.push(SanType::DnsName(host));
        }
        let addresses = workload.addresses.iter().copied();
        params
            .subject_alt_names
            .extend(addresses.map(SanType::IpAddress));
        params.is_ca = IsCa::ExplicitNoCa;
        params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
        params.extended_key_usages = vec![
            ExtendedKeyUsagePurpose::ServerAuth,
            ExtendedKeyUsagePurpose::ClientAuth,
        ];
        params.use_authority_key_identifier_extension = true;
        Ok(Issued {
            certificate: params.signed_by(&key, &self.issuer)?.pem(),
            key: key.serialize_pem(),
        })
    }
}

/// Seconds since the epoch.
pub(crate) fn now() -> u64 {
    u64::try_from(SystemClock.now().micros() / 1_000_000).unwrap_or(0)
}

/// What every certificate has: a life of this length from now on, ended at the latest by `end`.
fn params(lifetime: Duration, end: u64) -> CertificateParams {
    let epoch = date_time_ymd(1970, 1, 1);
    let last = now().saturating_add(lifetime.as_secs()).min(end);
    let mut params = CertificateParams::default();
    params.not_before = epoch + Duration::from_secs(now()).saturating_sub(BACKDATE);
    params.not_after = epoch + Duration::from_secs(last);
    params.distinguished_name = DistinguishedName::new();
    params
}
