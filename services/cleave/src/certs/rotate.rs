//! `cleave certs rotate-ca`: in two steps, because services read their files at different moments.
//!
//! Certificates of the new authority may be used only once everybody believes it, and the old one may be
//! forgotten only once nobody uses a certificate of it.

use super::RotateArgs;
use super::authority::Authority;
use super::certificate::Certificate;
use super::folder::Folder;
use super::show;
use crate::output::say;
use anyhow::{Context, Result, ensure};

/// Begins or ends the change.
pub(super) fn rotate(args: &RotateArgs) -> Result<()> {
    let folder = Folder::new(&args.dir);
    if args.finish {
        finish(&folder)
    } else {
        begin(&folder, args)
    }
}

fn begin(folder: &Folder, args: &RotateArgs) -> Result<()> {
    let believed = folder.believed()?;
    ensure!(
        believed.len() == 1,
        "a change of authority is under way: end it with `cleave certs rotate-ca --finish`"
    );
    // The old authority must be whole, or the change would start from a muddle.
    folder.authority()?;
    let domain = trust_domain(folder)?;
    let (_, issued) = Authority::make(&domain, args.ca_lifetime)?;
    folder.save_authority(&issued, &believed)?;
    show::print(&show::of(folder)?)?;
    let dir = args.dir.display();
    say!(
        "\nBoth authorities are believed by whoever has read ca.crt again. Now
  1. wait until every service has: its host.tls.reload_period (10s), or restart it
  2. cleave certs renew {dir}
  3. wait again, until nobody shows a certificate of the old authority
  4. cleave certs rotate-ca --finish {dir}"
    )?;
    Ok(())
}

fn finish(folder: &Folder) -> Result<()> {
    let authority = folder.authority()?.certificate;
    for files in folder.workloads()? {
        ensure!(
            authority.signed(&files.read()?),
            "{} has a certificate of the old authority: `cleave certs renew` first",
            files.name
        );
    }
    let before = folder.believed()?.len();
    folder.save_believed(std::slice::from_ref(&authority))?;
    show::print(&show::of(folder)?)?;
    say!(
        "\n{}",
        match before {
            1 => "There was nothing to end: one authority is believed.".to_owned(),
            _ => format!("Only {} is believed now.", show::name(&authority.subject)),
        }
    )?;
    Ok(())
}

/// What the identities here begin with; for the name of the authority only.
fn trust_domain(folder: &Folder) -> Result<String> {
    let all = folder.workloads()?;
    let first = all.first().context("no workload has a certificate here")?;
    let Certificate { uris, .. } = first.read()?;
    let id = uris.first().context("a certificate without an identity")?;
    let domain = id.trim_start_matches("spiffe://").rsplit_once('/');
    Ok(domain.map_or(id.as_str(), |(domain, _)| domain).to_owned())
}
