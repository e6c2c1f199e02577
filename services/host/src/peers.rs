//! The calls that a service makes itself: under the same name and identity as it serves.

use crate::config::HostSettings;
use crate::telemetry;
use cleave_mesh::policy::PolicyTable;
use cleave_mesh::tls::Credentials;
use cleave_mesh::{Mesh, MeshBuilder};

/// The mesh of the service `name`, without peers yet. The credentials are those that its host serves by.
#[must_use]
pub fn mesh(
    name: &str,
    policies: PolicyTable,
    settings: &HostSettings,
    credentials: Option<&Credentials>,
) -> MeshBuilder {
    // What is counted of the peers is counted from their first connection on.
    telemetry::metrics();
    Mesh::builder(policies)
        .caller(name)
        .credentials(credentials.cloned())
        .allow_plaintext(settings.allow_plaintext)
}
