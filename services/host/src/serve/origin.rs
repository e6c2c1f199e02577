//! Where a call comes from: what is known of its connection.

use super::activity::{Activity, Busy};
use rustls::pki_types::CertificateDer;
use sha2::{Digest as _, Sha256};
use std::net::SocketAddr;
use std::sync::Arc;
use tokio_util::sync::CancellationToken;

/// Who is at the other end of a connection.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Identity {
    /// Nobody has an identity here: callers are believed.
    Believed,
    /// A client without a certificate where others have one.
    Anonymous,
    /// A workload that has proved to be this one.
    Workload(Arc<str>),
}

/// What a connection was made on the strength of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Proof {
    /// The generation of the own credentials.
    pub(super) generation: u64,
    /// The SHA-256 of the certificate that the client showed.
    fingerprint: Option<[u8; 32]>,
}

impl Proof {
    /// By credentials of this generation, and the client's certificates.
    pub(super) fn new(generation: u64, shown: Option<&[CertificateDer<'_>]>) -> Self {
        let own = shown.and_then(|shown| shown.first());
        Self {
            generation,
            fingerprint: own.map(|own| Sha256::digest(own).into()),
        }
    }

    /// The SHA-256 of the client's certificate, in hexadecimal digits.
    pub(super) fn certificate(&self) -> Option<String> {
        let digits = |bytes: [u8; 32]| bytes.iter().map(|byte| format!("{byte:02x}")).collect();
        self.fingerprint.map(digits)
    }
}

/// What is known of the connection that a call comes over.
#[derive(Debug)]
pub(super) struct Origin {
    pub(super) remote: Option<SocketAddr>,
    pub(super) identity: Identity,
    pub(super) activity: Arc<Activity>,
    /// Cancelled when streams must leave the connection.
    pub(super) retired: CancellationToken,
}

impl Origin {
    pub(super) fn new(remote: Option<SocketAddr>, identity: Identity) -> Self {
        Self {
            remote,
            identity,
            activity: Arc::new(Activity::new()),
            retired: CancellationToken::new(),
        }
    }

    /// A call begins.
    pub(super) fn busy(&self) -> Busy {
        self.activity.begin()
    }
}
