//! Whether each service's certificate, key and authorities fit together, and for how long.

use std::path::Path;

use anyhow::Result;
use cleave_mesh::tls::{Credentials, TlsFiles, TrustDomain};

use super::finding::Finding;
use super::subject::Subject;
use crate::admin::State;
use crate::certs::certificate::Certificate;
use crate::certs::folder::is_exposed;
use crate::certs::now;
use crate::output;

/// Less than this is worth a word.
const SOON_SECONDS: i64 = 7 * 86_400;
const RENEW: &str = "renew it: `cleave certs renew` for development, else whatever issued it";

/// The lines on a service's certificates; none when it has none.
pub(super) fn check(subject: &Subject, state: Option<&State>) -> Vec<Finding> {
    let name = subject.name;
    let Some(files) = subject.host.tls.files() else {
        return Vec::new();
    };
    let chain = match Certificate::read(&files.certificate) {
        Ok(chain) => chain,
        Err(error) => {
            return vec![Finding::failure(
                format!("{name}: {error:#}"),
                "mend host.tls.certificate",
            )];
        }
    };
    let Some(own) = chain.first() else {
        return Vec::new();
    };
    let mut found = vec![lifetime(
        &format!("{name}: its certificate"),
        own,
        now_i64(),
        RENEW,
    )];
    found.push(key(name, &files));
    if let Some(authority) = &files.authority {
        found.push(identity(subject, own));
        found.extend(authorities(name, authority, &chain));
        found.push(whole(subject, &files));
    } else {
        found.push(Finding::warning(
            format!("{name}: believes no authority, so callers have no identities"),
            "give host.tls.authority",
        ));
    }
    let in_force = state.and_then(|state| state.tls.as_ref());
    found.extend(in_force.map(|tls| {
        let whom = tls.identity.as_deref().unwrap_or("nobody in particular");
        if tls.not_after == own.not_after {
            Finding::ok(format!("{name}: serves as {whom} with this certificate"))
        } else {
            Finding::warning(
                format!("{name}: still serves as {whom} with another certificate, until {}", output::instant(tls.not_after)),
                "it reads the files every host.tls.reload_period; its log says why it does not take them",
            )
        }
    }));
    found
}

/// How long a certificate is still good.
fn lifetime(what: &str, certificate: &Certificate, now: i64, hint: &str) -> Finding {
    let left = certificate.not_after.saturating_sub(now);
    let until = output::instant(certificate.not_after);
    if left <= 0 {
        let ago = output::span(left.saturating_neg());
        return Finding::failure(format!("{what} expired {ago} ago, {until}"), hint);
    }
    if certificate.not_before > now {
        let from = output::instant(certificate.not_before);
        return Finding::failure(
            format!("{what} is not valid before {from}"),
            "mend the clock here or where it was issued",
        );
    }
    let whole = certificate.not_after.saturating_sub(certificate.not_before);
    let text = format!("{what} is valid for {}, until {until}", output::span(left));
    if left < SOON_SECONDS || left < whole / 3 {
        Finding::warning(text, hint)
    } else {
        Finding::ok(text)
    }
}

fn key(name: &str, files: &TlsFiles) -> Finding {
    match is_exposed(&files.key) {
        Err(error) => Finding::failure(format!("{name}: {error:#}"), "mend host.tls.key"),
        Ok(true) => Finding::warning(
            format!("{name}: others can read {}", files.key.display()),
            format!("chmod 600 {}", files.key.display()),
        ),
        Ok(false) => Finding::ok(format!("{name}: its key is its owner's alone")),
    }
}

/// Whether the certificate names the service.
fn identity(subject: &Subject, own: &Certificate) -> Finding {
    let name = subject.name;
    let expected = TrustDomain::parse(&subject.host.tls.trust_domain).map(|domain| domain.id(name));
    let Ok(expected) = expected else {
        return Finding::failure(
            format!("{name}: no trust domain"),
            "mend host.tls.trust_domain",
        );
    };
    let hint = format!("its URI must be {expected}, and the only one: callers look for it");
    match own.uris.as_slice() {
        [id] if *id == expected => Finding::ok(format!("{name}: is {id}")),
        [] => Finding::failure(format!("{name}: its certificate holds no identity"), hint),
        [id] => Finding::failure(format!("{name}: its certificate is for {id}"), hint),
        ids => Finding::failure(
            format!("{name}: its certificate holds {} identities", ids.len()),
            hint,
        ),
    }
}

/// Whether an authority that is believed vouches for the chain, and for how long each is good.
fn authorities(name: &str, file: &Path, chain: &[Certificate]) -> Vec<Finding> {
    let believed = match Certificate::read(file) {
        Ok(believed) => believed,
        Err(error) => {
            return vec![Finding::failure(
                format!("{name}: {error:#}"),
                "mend host.tls.authority",
            )];
        }
    };
    let hint = "change it: `cleave certs rotate-ca` for development, else whatever issued it";
    let mut found: Vec<_> = believed
        .iter()
        .map(|one| {
            lifetime(
                &format!(
                    "{name}: the authority {}",
                    one.subject.trim_start_matches("CN=")
                ),
                one,
                now_i64(),
                hint,
            )
        })
        .collect();
    if !vouched(chain, &believed) {
        found.push(Finding::failure(
            format!("{name}: no authority that it believes vouches for its certificate"),
            "host.tls.authority must hold the authority that signed it, and the certificate those in between",
        ));
    }
    found
}

/// Whether the chain leads from its first certificate to one that is believed.
fn vouched(chain: &[Certificate], believed: &[Certificate]) -> bool {
    let mut rest = chain;
    while let Some((current, above)) = rest.split_first() {
        if believed.iter().any(|one| one.signed(current)) {
            return true;
        }
        if !above.first().is_some_and(|next| next.signed(current)) {
            return false;
        }
        rest = above;
    }
    false
}

/// Whether the service itself would take the files.
fn whole(subject: &Subject, files: &TlsFiles) -> Finding {
    let name = subject.name;
    let taken = || -> Result<()> {
        let domain = TrustDomain::parse(&subject.host.tls.trust_domain)?;
        Credentials::load(files.clone(), domain)?;
        Ok(())
    };
    match taken() {
        Ok(()) => Finding::ok(format!("{name}: key and certificate fit")),
        Err(error) => Finding::failure(
            format!("{name}: the files cannot be used: {error:#}"),
            RENEW,
        ),
    }
}

fn now_i64() -> i64 {
    i64::try_from(now()).unwrap_or(i64::MAX)
}
