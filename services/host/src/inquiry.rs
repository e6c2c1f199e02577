//! Asks a service for its health, once, as people and orchestrators do.

use crate::health::pb::HealthCheckRequest;
pub use crate::health::pb::health_check_response::ServingStatus;
use crate::health::pb::health_client::HealthClient;
use cleave_mesh::policy::PolicyTable;
use cleave_mesh::tls::Credentials;
use cleave_mesh::{CallError, Cause, Mesh, MeshError, Tuning};
use std::time::Duration;

/// Health belongs to no contract.
static NO_POLICIES: PolicyTable = PolicyTable::new(&[]);

/// A question for the health of a service.
#[derive(Debug)]
pub struct Inquiry<'a> {
    /// The workload that must answer; over TLS it has to prove that.
    pub workload: &'a str,
    /// Where it is, `HOST:PORT`.
    pub address: &'a str,
    /// What is shown to it; without any it is asked in plaintext.
    pub credentials: Option<Credentials>,
    /// The service that is asked for; empty for all of them.
    pub service: &'a str,
    /// How long the connection may take, and the answer.
    pub timeout: Duration,
}

/// Why there is no answer.
#[derive(Debug, thiserror::Error)]
pub enum InquiryError {
    /// The question makes no sense.
    #[error(transparent)]
    Question(#[from] MeshError),
    /// No connection could be made.
    #[error("{}", .0.message)]
    Connection(CallError),
    /// The service refused, or said nothing.
    #[error("{0}")]
    Answer(CallError),
}

impl InquiryError {
    /// What may mend it, when that is known.
    #[must_use]
    pub fn mend(&self) -> Option<&'static str> {
        match self {
            Self::Connection(error) if error.cause == Cause::TlsMismatch => Some(
                "ask with the configuration that the service runs with: it speaks TLS on host.listen when \
                 host.tls.certificate is set, and plaintext on host.admin always",
            ),
            _ => None,
        }
    }
}

impl From<CallError> for InquiryError {
    fn from(error: CallError) -> Self {
        match error.cause {
            Cause::Unreachable
            | Cause::PeerUntrusted
            | Cause::IdentityRefused
            | Cause::TlsMismatch
            | Cause::DeadlineBeforeSend => Self::Connection(error),
            _ => Self::Answer(error),
        }
    }
}

impl Inquiry<'_> {
    /// Asks.
    ///
    /// # Errors
    /// When there is no answer.
    pub async fn ask(self) -> Result<ServingStatus, InquiryError> {
        let mesh = Mesh::builder(NO_POLICIES)
            .peer(self.workload, self.address)
            .credentials(self.credentials)
            .allow_plaintext(true)
            .tuning(Tuning {
                connect_timeout: self.timeout,
                watch_health: false,
                compare_contracts: false,
                ..Tuning::default()
            })
            .uncounted()
            .build()?;
        let mut request = tonic::Request::new(HealthCheckRequest {
            service: self.service.to_owned(),
        });
        request.set_timeout(self.timeout * 2);
        let mut client = HealthClient::new(mesh.to(self.workload)?);
        let answer = client.check(request).await.map_err(CallError::from)?;
        Ok(answer.into_inner().status())
    }
}
