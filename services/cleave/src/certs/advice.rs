//! What to do with new certificates.

use super::folder::{Files, Folder};
use crate::output::say;
use anyhow::Result;

/// What the configuration of every service takes for granted.
const USUAL_DOMAIN: &str = "cleave.local";

/// Says what to put into the configuration of each service, and how to call them then.
pub(super) fn configuration(folder: &Folder, trust_domain: &str) -> Result<()> {
    let believed = folder.believed_file();
    for files in folder.workloads()? {
        if files.name == "cleave" {
            continue;
        }
        let Files {
            name,
            certificate,
            key,
            authority,
        } = files;
        say!(
            "\nIn the configuration of {name}:\n\n[host.tls]\ncertificate = {:?}\nkey = {:?}\nauthority = {:?}",
            certificate.display().to_string(),
            key.display().to_string(),
            authority.display().to_string(),
        )?;
        if trust_domain != USUAL_DOMAIN {
            say!("trust_domain = {trust_domain:?}")?;
        }
    }
    let own = folder.workload("cleave");
    say!(
        "\nThen plaintext is refused, and methods answer only those whom their contract names. People call as `cleave`:\n
grpcurl -cacert {} -cert {} -key {} localhost:50051 list",
        believed.display(),
        own.certificate.display(),
        own.key.display(),
    )?;
    Ok(())
}
