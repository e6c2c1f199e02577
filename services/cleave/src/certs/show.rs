//! `cleave certs show`.

use super::certificate::Certificate;
use super::folder::{Folder, is_exposed};
use super::{ShowArgs, now};
use crate::output;
use crate::output::say;
use anyhow::Result;
use serde::Serialize;
use std::io;
use std::process::ExitCode;

/// One certificate, as it is shown.
#[derive(Debug, Serialize)]
pub(super) struct Line {
    /// `authority`, or the name of the workload.
    holder: String,
    /// The SPIFFE ID, or the name of an authority.
    identity: String,
    issuer: String,
    not_before: String,
    not_after: String,
    seconds_left: i64,
    /// What is wrong, if anything is.
    trouble: Option<String>,
}

/// Shows the certificates; fails when one of them is of no use.
pub(super) fn show(args: &ShowArgs) -> Result<ExitCode> {
    let lines = of(&Folder::new(&args.dir))?;
    if args.output.is_json() {
        output::print_json(&lines)?;
    } else {
        print(&lines)?;
    }
    let sound = lines.iter().all(|line| line.trouble.is_none());
    Ok(if sound {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    })
}

/// Every certificate of the folder, the authorities first.
pub(super) fn of(folder: &Folder) -> Result<Vec<Line>> {
    let believed = folder.believed()?;
    let mut lines: Vec<Line> = believed
        .iter()
        .map(|authority| {
            let identity = name(&authority.subject);
            Line::of("authority", identity, authority, None)
        })
        .collect();
    for files in folder.workloads()? {
        let certificate = files.read()?;
        let trouble = if !believed.iter().any(|one| one.signed(&certificate)) {
            Some("no authority here vouches for it".to_owned())
        } else if certificate.uris.len() != 1 {
            Some("it does not name one identity".to_owned())
        } else if !files.key.exists() {
            Some("its key is gone".to_owned())
        } else if is_exposed(&files.key)? {
            Some("others can read its key".to_owned())
        } else {
            None
        };
        let identity = certificate.uris.join(" ");
        lines.push(Line::of(&files.name, identity, &certificate, trouble));
    }
    Ok(lines)
}

impl Line {
    fn of(
        holder: &str,
        identity: String,
        certificate: &Certificate,
        trouble: Option<String>,
    ) -> Self {
        let seconds_left = certificate.not_after - i64::try_from(now()).unwrap_or(i64::MAX);
        Self {
            holder: holder.to_owned(),
            identity,
            issuer: name(&certificate.issuer),
            not_before: output::instant(certificate.not_before),
            not_after: output::instant(certificate.not_after),
            seconds_left,
            trouble: trouble.or_else(|| (seconds_left <= 0).then(|| "expired".to_owned())),
        }
    }
}

/// Prints the certificates as a table.
pub(super) fn print(lines: &[Line]) -> io::Result<()> {
    let header = ["Holder", "Identity", "Signed by", "Expires", "Left", ""];
    let mut table = output::table(&header, header.len());
    for line in lines {
        table.add_row([
            line.holder.clone(),
            line.identity.clone(),
            line.issuer.clone(),
            line.not_after.clone(),
            output::span(line.seconds_left),
            line.trouble.clone().unwrap_or_default(),
        ]);
    }
    say!("{table}")?;
    Ok(())
}

/// The name out of `CN=name`.
pub(super) fn name(distinguished: &str) -> String {
    distinguished.trim_start_matches("CN=").to_owned()
}
