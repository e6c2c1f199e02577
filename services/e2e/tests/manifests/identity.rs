//! Who the services are: certificates of the names that the contracts let call, mounted where the settings look.

use crate::settings;
use crate::{Faults, SERVICES};
use cleave_e2e::Manifests;
use cleave_mesh::tls::TrustDomain;
use serde_json::{Value, json};
use std::collections::BTreeSet;

/// The keys of a Secret of certificates, as cert-manager and everybody else names them.
const KEYS: [&str; 3] = ["tls.crt", "tls.key", "ca.crt"];
/// Where the authorities are during a change of authority.
const AUTHORITIES: &str = "cleave-authorities";

pub(crate) fn check(manifests: &Manifests, faults: &mut Faults) {
    for (service, _) in SERVICES {
        let Some(pod) = faults.take(
            manifests
                .workload(service)
                .map(|one| &one["spec"]["template"]),
        ) else {
            continue;
        };
        let container = &pod["spec"]["containers"][0];
        let Some(told) = faults.take(settings::of(manifests, service, pod, container)) else {
            continue;
        };
        let tls = &told.host.tls;
        if !tls.is_on() {
            let by_name = told.host.allow_plaintext;
            faults.unless(by_name, || {
                format!("{service} speaks plaintext, and was not asked to")
            });
            continue;
        }
        faults.unless(!told.host.allow_plaintext, || {
            format!("{service} would call in plaintext")
        });
        let paths = [&tls.certificate, &tls.key, &tls.authority];
        for (path, key) in paths.into_iter().zip(KEYS) {
            let found = held_at(pod, container, path);
            let of = |holder: String| Some((holder, key.to_owned()));
            let held = found == of(format!("Secret {service}-tls"))
                || key == "ca.crt" && found == of(format!("ConfigMap {AUTHORITIES}"));
            faults.unless(held, || {
                format!("{service}: {path} is not {key} of {service}-tls")
            });
        }
        check_certificate(manifests, service, &tls.trust_domain, faults);
    }
    check_callers(manifests, faults);
}

/// What a container finds at this path: the Secret or ConfigMap, and the key in it. What is mounted as a single file is
/// found nowhere: it would never change.
fn held_at(pod: &Value, container: &Value, path: &str) -> Option<(String, String)> {
    let (folder, key) = path.rsplit_once('/')?;
    let mut mounts = container["volumeMounts"].as_array()?.iter();
    let mount = mounts.find(|mount| mount["mountPath"] == folder)?;
    let mut volumes = pod["spec"]["volumes"].as_array()?.iter();
    let volume = volumes.find(|volume| volume["name"] == mount["name"])?;
    let secret = volume["secret"]["secretName"].as_str();
    let map = volume["configMap"]["name"].as_str();
    let holder = secret
        .map(|name| format!("Secret {name}"))
        .or_else(|| map.map(|name| format!("ConfigMap {name}")))?;
    Some((holder, key.to_owned()))
}

/// The certificate that is made for a service, where certificates are made, names it as others will know it.
fn check_certificate(manifests: &Manifests, service: &str, domain: &str, faults: &mut Faults) {
    if manifests.of_kind("Certificate").next().is_none() {
        return;
    }
    let secret = format!("{service}-tls");
    let mut all = manifests.of_kind("Certificate");
    let Some(certificate) = all.find(|one| one["spec"]["secretName"] == json!(secret)) else {
        return faults.unless(false, || format!("nobody makes {secret}"));
    };
    let spec = &certificate["spec"];
    let uris: Vec<_> = spec["uris"]
        .as_array()
        .into_iter()
        .flatten()
        .filter_map(Value::as_str)
        .collect();
    let known = TrustDomain::parse(domain)
        .map(|domain| uris.iter().map(|uri| domain.workload(uri)).collect());
    let known: Result<Vec<_>, _> = known.unwrap_or_else(|_| Ok(Vec::new()));
    let same = known.is_ok_and(|known| known.len() == 1 && known[0].name() == service);
    faults.unless(same, || format!("{secret} names {uris:?}"));
    for usage in ["server auth", "client auth"] {
        let mut usages = spec["usages"].as_array().into_iter().flatten();
        faults.unless(usages.any(|one| one == usage), || {
            format!("{secret} is not for {usage}")
        });
    }
    let issuer = &spec["issuerRef"]["name"];
    let mut issuers = manifests.of_kind("Issuer");
    faults.unless(
        issuers.any(|one| one["metadata"]["name"] == *issuer),
        || format!("no issuer {issuer}"),
    );
}

/// Everyone whom a contract lets call can be somebody.
fn check_callers(manifests: &Manifests, faults: &mut Faults) {
    let made: BTreeSet<_> = manifests
        .of_kind("Certificate")
        .filter_map(|one| one["spec"]["uris"][0].as_str()?.rsplit('/').next())
        .collect();
    if made.is_empty() {
        return;
    }
    let callers: BTreeSet<_> = cleave_contracts::POLICIES
        .iter()
        .flat_map(|method| method.callers.iter().copied())
        .collect();
    faults.unless(made == callers, || {
        format!("certificates for {made:?}, contracts for {callers:?}")
    });
}
