//! `cleave certs renew`.

use super::authority::Workload;
use super::folder::{Files, Folder};
use super::{RenewArgs, init, show};
use crate::output::say;
use anyhow::{Context, Result, ensure};
use cleave_mesh::tls::TrustDomain;

/// What precedes the trust domain in an identity.
const SCHEME: &str = "spiffe://";

/// Gives workloads new keys and certificates.
pub(super) fn renew(args: &RenewArgs) -> Result<()> {
    let folder = Folder::new(&args.dir);
    let authority = folder.authority()?;
    let there = folder.workloads()?;
    let workloads = if args.workload.is_empty() {
        let all = there.iter().map(|files| Ok((files.clone(), known(files)?)));
        all.collect::<Result<Vec<_>>>()?
    } else {
        let named = args.workload.iter();
        named
            .map(|name| one(&folder, &there, name))
            .collect::<Result<Vec<_>>>()?
    };
    ensure!(!workloads.is_empty(), "no workload has a certificate here");
    for (files, workload) in workloads {
        folder.save(&files, &authority.issue(&workload, args.lifetime)?)?;
    }
    show::print(&show::of(&folder)?)?;
    say!("\nRunning services take them within their host.tls.reload_period.")?;
    Ok(())
}

/// A workload by name: as it was, or a new one beside the others.
fn one(folder: &Folder, there: &[Files], name: &str) -> Result<(Files, Workload)> {
    if let Some(files) = there.iter().find(|files| files.name == name) {
        return Ok((files.clone(), known(files)?));
    }
    let sibling = there
        .first()
        .context("no workload has a certificate here: no trust domain is known")?;
    let id = known(sibling)?.id;
    let domain = id
        .strip_prefix(SCHEME)
        .and_then(|id| id.strip_suffix(&sibling.name)?.strip_suffix('/'))
        .with_context(|| format!("{id} is not the identity of {}", sibling.name))?;
    let domain = TrustDomain::parse(domain)?;
    init::check_name(&domain, name)?;
    Ok((folder.workload(name), init::workload(&domain, name, &[])))
}

/// What the present certificate of a workload says.
fn known(files: &Files) -> Result<Workload> {
    let certificate = files.read()?;
    let [id] = certificate.uris.as_slice() else {
        anyhow::bail!("{}: not one identity", files.certificate.display());
    };
    Ok(Workload {
        id: id.clone(),
        hosts: certificate.hosts.clone(),
        addresses: certificate.addresses.clone(),
    })
}
