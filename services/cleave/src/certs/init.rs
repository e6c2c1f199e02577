//! `cleave certs init`.

use super::authority::{Authority, Workload};
use super::folder::Folder;
use super::{InitArgs, WORKLOADS, advice, show};
use crate::output::say;
use anyhow::{Context, Result, ensure};
use cleave_mesh::tls::TrustDomain;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// Makes the authority and the certificates.
pub(super) fn init(args: &InitArgs) -> Result<()> {
    let folder = Folder::new(&args.dir);
    if args.if_absent && folder.is_taken() {
        return say!("{} holds an authority already.", folder.path().display()).map_err(Into::into);
    }
    ensure!(
        args.force || !folder.is_taken(),
        "{} holds an authority already: `cleave certs renew` renews certificates, `cleave certs rotate-ca` \
         changes the authority, --force starts over",
        folder.path().display()
    );
    let domain = TrustDomain::parse(&args.trust_domain)?;
    let mut names: Vec<&str> = WORKLOADS.into_iter().collect();
    names.extend(args.workload.iter().map(String::as_str));
    for name in &names {
        check_name(&domain, name)?;
    }
    folder.create()?;
    let (authority, issued) = Authority::make(&args.trust_domain, args.ca_lifetime)?;
    folder.save_authority(&issued, &[])?;
    for name in names {
        let workload = workload(&domain, name, &args.host);
        let issued = authority.issue(&workload, args.lifetime)?;
        folder.save(&folder.workload(name), &issued)?;
    }
    show::print(&show::of(&folder)?)?;
    advice::configuration(&folder, &args.trust_domain)
}

/// A workload's name is one segment of an identity, and a folder.
pub(super) fn check_name(domain: &TrustDomain, name: &str) -> Result<()> {
    let known = domain.workload(&domain.id(name));
    known.with_context(|| format!("{name:?} cannot be the name of a workload"))?;
    Ok(())
}

/// A workload on this machine, and at these hosts.
pub(super) fn workload(domain: &TrustDomain, name: &str, hosts: &[String]) -> Workload {
    let mut workload = Workload {
        id: domain.id(name),
        hosts: vec!["localhost".to_owned(), name.to_owned()],
        addresses: vec![Ipv4Addr::LOCALHOST.into(), Ipv6Addr::LOCALHOST.into()],
    };
    for host in hosts {
        match host.parse::<IpAddr>() {
            Ok(address) => workload.addresses.push(address),
            Err(_) => workload.hosts.push(host.clone()),
        }
    }
    workload
}
