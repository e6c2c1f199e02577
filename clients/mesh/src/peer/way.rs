//! Which way leads to a peer: TLS where there are credentials, plaintext where it is allowed.

use super::connect::Connect;
use super::plain::{Tcp, is_loopback};
use super::secure::Secure;
use super::target::{MeshError, Target};
use crate::metrics::Books;
use crate::tls::Credentials;
use std::sync::Arc;

/// What an address says about the way to it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Asked {
    /// `http://`: plaintext.
    Plaintext,
    /// `https://`: TLS.
    Tls,
    /// Nothing: TLS when there are credentials.
    Nothing,
}

/// The way to one peer.
#[derive(Clone)]
pub(crate) struct Way {
    pub(super) connect: Arc<dyn Connect>,
    /// Whether both ends prove who they are.
    pub(super) secure: bool,
    /// Whether what happens on it is recorded.
    pub(super) books: Books,
}

/// What all ways are made of.
#[derive(Default)]
pub(crate) struct Ways {
    /// Opens streams of bytes in place of TCP.
    pub(crate) connect: Option<Arc<dyn Connect>>,
    /// Who the caller is.
    pub(crate) credentials: Option<Credentials>,
    /// Whether plaintext may leave this machine.
    pub(crate) allow_plaintext: bool,
    /// Whether what happens is recorded.
    pub(crate) books: Books,
}

impl Ways {
    /// The way to a peer.
    ///
    /// # Errors
    /// When the credentials do not allow what its address asks for, or plaintext would leave the machine.
    pub(crate) fn to(&self, peer: &Arc<str>, target: &Target) -> Result<Way, MeshError> {
        match (target.asked(), &self.credentials) {
            (Asked::Plaintext, _) | (Asked::Nothing, None) => self.plain(peer, target),
            (Asked::Tls, None) => Err(MeshError::NoCredentials {
                peer: peer.to_string(),
                why: "there is no certificate".to_owned(),
            }),
            (Asked::Tls | Asked::Nothing, Some(credentials)) => {
                self.secure(peer, credentials.clone())
            }
        }
    }

    fn plain(&self, peer: &str, target: &Target) -> Result<Way, MeshError> {
        let connect = match &self.connect {
            Some(connect) => Arc::clone(connect),
            None if self.allow_plaintext => Arc::new(Tcp::Anywhere),
            None => {
                if let Some(address) = target.fixed().find(|address| !is_loopback(address)) {
                    return Err(MeshError::Plaintext {
                        peer: peer.to_owned(),
                        address: address.to_owned(),
                    });
                }
                Arc::new(Tcp::Loopback)
            }
        };
        Ok(Way {
            connect,
            secure: false,
            books: self.books,
        })
    }

    fn secure(&self, peer: &Arc<str>, credentials: Credentials) -> Result<Way, MeshError> {
        let unusable = |why: String| MeshError::NoCredentials {
            peer: peer.to_string(),
            why,
        };
        if !credentials.current().has_identities() {
            let why = "there is no authority to check it by";
            return Err(unusable(why.to_owned()));
        }
        let tcp = || -> Arc<dyn Connect> { Arc::new(Tcp::Anywhere) };
        let inner = self.connect.clone().unwrap_or_else(tcp);
        let secure = Secure::new(inner, credentials, Arc::clone(peer))
            .map_err(|error| unusable(error.to_string()))?;
        Ok(Way {
            connect: Arc::new(secure),
            secure: true,
            books: self.books,
        })
    }
}
