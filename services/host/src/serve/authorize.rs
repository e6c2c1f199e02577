//! Who may call what, once callers have identities: the contracts decide, and what they do not name is
//! denied. Health and reflection belong to no contract and have rules of their own, as has the service that
//! tells the contract.

use super::origin::Identity;
use crate::config::{Access, TlsSettings};
use crate::status::{Domain, Refusal};
use cleave_mesh::contract::messages as contract;
use cleave_mesh::policy::MethodPolicy;
use tonic::Status;

/// Where the host's own refusals belong.
const MESH: Domain = Domain::new("mesh.cleave");

const HEALTH: &str = "/grpc.health.v1.Health/";
const HEALTH_WATCH: &str = "/grpc.health.v1.Health/Watch";
const REFLECTION: &str = "/grpc.reflection.";

/// Whether a method that belongs to no contract has streams that last until their client has enough.
pub(super) fn lasts(path: &str) -> bool {
    path == HEALTH_WATCH || path.starts_with(REFLECTION)
}

/// The rules.
#[derive(Debug)]
pub(super) struct Authorization {
    health: Access,
    reflection: Access,
    contract: Access,
}

impl Authorization {
    pub(super) const fn new(settings: &TlsSettings) -> Self {
        Self {
            health: settings.health,
            reflection: settings.reflection,
            contract: settings.contract,
        }
    }

    /// Refuses a caller who may not call the method.
    pub(super) fn check(
        &self,
        identity: &Identity,
        path: &str,
        method: Option<&MethodPolicy>,
    ) -> Result<(), Status> {
        let caller = match identity {
            Identity::Believed => return Ok(()),
            Identity::Anonymous => None,
            Identity::Workload(name) => Some(&**name),
        };
        let allowed = match (self.access(path), method) {
            (Some(Access::Everyone), _) => true,
            (Some(Access::Identified), _) => caller.is_some(),
            (None, Some(method)) => caller.is_some_and(|caller| method.callers.contains(&caller)),
            (Some(Access::Nobody), _) | (None, None) => false,
        };
        if allowed {
            return Ok(());
        }
        Err(refusal(caller, path).into_status())
    }

    /// The rule for a method that has one of its own.
    fn access(&self, path: &str) -> Option<Access> {
        if path.starts_with(HEALTH) {
            Some(self.health)
        } else if path.starts_with(REFLECTION) {
            Some(self.reflection)
        } else if path.starts_with(contract::PREFIX) {
            Some(self.contract)
        } else {
            None
        }
    }
}

fn refusal(caller: Option<&str>, path: &str) -> Refusal {
    let method = path.trim_start_matches('/');
    match caller {
        Some(caller) => MESH
            .denied(
                "CALLER_NOT_ALLOWED",
                format!("{caller} may not call {method}"),
            )
            .meta("caller", caller),
        None => MESH.denied(
            "NO_IDENTITY",
            format!("{method} is for workloads that show a certificate"),
        ),
    }
    .meta("method", method)
}
