//! Who a workload is and whom it believes: certificate, key and authorities out of files.
//!
//! Both halves stand on [`Credentials`]: the host takes its server configuration from the current
//! [`Snapshot`] for each handshake, the channel its client configuration for each connection. The files
//! are read again and again; what cannot be used leaves the last good snapshot in force. Identities are
//! SPIFFE IDs, `spiffe://TRUST_DOMAIN/WORKLOAD`; names of hosts play no part.

mod credentials;
mod files;
mod identity;
mod snapshot;
#[cfg(test)]
mod tests;
mod validity;
mod verify;

pub use credentials::Credentials;
pub use files::{TlsError, TlsFiles};
pub use identity::{IdentityError, TrustDomain, Workload};
pub use snapshot::{Anonymous, Snapshot};

pub(crate) use snapshot::HTTP2;
