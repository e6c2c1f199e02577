//! Why no connection came about.

use crate::cause::Cause;
use rustls::{AlertDescription, Error};
use std::io;
use std::sync::Arc;

/// Why no connection came about.
#[derive(Debug, Clone, thiserror::Error)]
pub(crate) enum DialError {
    /// The network refused.
    #[error("{0}")]
    Network(Arc<io::Error>),
    /// What answered went away, or does not speak HTTP/2.
    #[error("the connection ended before HTTP/2 was spoken on it")]
    NotHttp2,
    /// What answered does not speak TLS.
    #[error("the peer does not speak TLS, and is called over it")]
    NotTls,
    /// What answered speaks nothing but TLS.
    #[error("the peer speaks TLS, and is called in plaintext")]
    NotPlain,
    /// The peer is not who it should be, or cannot prove it.
    #[error("the peer is not believed: {0}")]
    Untrusted(String),
    /// The peer does not believe us.
    #[error("the peer does not believe the caller's certificate: {0:?}")]
    Refused(AlertDescription),
    /// It took too long.
    #[error("no answer in time")]
    Slow,
}

impl DialError {
    /// The cause of a call that failed for want of the connection.
    pub(crate) const fn cause(&self) -> Cause {
        match self {
            Self::Untrusted(_) => Cause::PeerUntrusted,
            Self::Refused(_) => Cause::IdentityRefused,
            Self::NotTls | Self::NotPlain => Cause::TlsMismatch,
            Self::Network(_) | Self::NotHttp2 | Self::Slow => Cause::Unreachable,
        }
    }
}

impl From<io::Error> for DialError {
    fn from(error: io::Error) -> Self {
        let tls = error.get_ref().and_then(|inner| inner.downcast_ref());
        match tls {
            Some(Error::AlertReceived(alert)) if is_about_identity(*alert) => Self::Refused(*alert),
            Some(Error::InvalidMessage(_)) => Self::NotTls,
            Some(Error::General(why)) => Self::Untrusted(why.clone()),
            Some(error @ Error::InvalidCertificate(_)) => Self::Untrusted(error.to_string()),
            _ => Self::Network(Arc::new(error)),
        }
    }
}

/// Whether the peer says by this that it does not accept the certificate that it was shown, or wants one.
const fn is_about_identity(alert: AlertDescription) -> bool {
    matches!(
        alert,
        AlertDescription::BadCertificate
            | AlertDescription::UnsupportedCertificate
            | AlertDescription::CertificateRevoked
            | AlertDescription::CertificateExpired
            | AlertDescription::CertificateUnknown
            | AlertDescription::UnknownCA
            | AlertDescription::AccessDenied
            | AlertDescription::DecryptError
            | AlertDescription::CertificateRequired
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use rustls::CertificateError;

    fn dialing(error: Error) -> DialError {
        io::Error::new(io::ErrorKind::InvalidData, error).into()
    }

    #[test]
    fn each_end_s_disbelief_is_a_cause_of_its_own() {
        let theirs = dialing(Error::AlertReceived(AlertDescription::CertificateExpired));
        assert_eq!(theirs.cause(), Cause::IdentityRefused);
        assert_eq!(
            theirs.to_string(),
            "the peer does not believe the caller's certificate: CertificateExpired"
        );

        let ours = dialing(Error::InvalidCertificate(CertificateError::UnknownIssuer));
        assert_eq!(ours.cause(), Cause::PeerUntrusted);

        let neither = dialing(Error::AlertReceived(AlertDescription::InternalError));
        assert_eq!(neither.cause(), Cause::Unreachable);
    }
}
