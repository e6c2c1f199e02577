//! Writes the policy table as Rust.

use crate::policy::{Hedging, OnUnavailable, Policy, Retry};
use std::collections::BTreeMap;
use std::fmt::Write;
use std::time::Duration;

/// The source of `POLICIES`, one entry a method, sorted by path; `shape` names the file beside it that holds the
/// shape of all methods, and `whole` is the fingerprint of the contracts.
pub fn render(
    policies: &[Policy],
    fingerprints: &BTreeMap<String, u64>,
    whole: u64,
    shape: &str,
) -> String {
    let fingerprint = |policy: &Policy| fingerprints.get(&policy.path).copied();
    let entries: String = policies
        .iter()
        .map(|policy| entry(policy, fingerprint(policy).unwrap_or_default()))
        .collect();
    format!(
        "/// What the contracts say about each method, sorted by path.\n\
         pub static POLICIES: ::cleave_mesh::policy::PolicyTable = {{\n\
         use ::cleave_mesh::policy::*;\n\
         use ::core::time::Duration;\n\
         PolicyTable::new(&[\n{entries}])\n\
         .with_shape(include_bytes!(concat!(env!(\"OUT_DIR\"), \"/{shape}\")))\n\
         .with_fingerprint(0x{whole:016x})\n}};\n"
    )
}

fn entry(policy: &Policy, fingerprint: u64) -> String {
    let mut text = String::from("MethodPolicy {\n");
    for (field, value) in [
        ("path", format!("{:?}", policy.path)),
        ("timeout", option(policy.timeout, duration)),
        ("retry", option(policy.retry.as_ref(), retry)),
        ("hedging", option(policy.hedging.as_ref(), hedging)),
        ("on_unavailable", on_unavailable(&policy.on_unavailable)),
        (
            "criticality",
            format!("Criticality::{}", camel(&policy.criticality)),
        ),
        ("callers", format!("&{:?}", policy.callers)),
        ("idempotency", idempotency(&policy.idempotency)),
        ("client_streaming", policy.client_streaming.to_string()),
        ("server_streaming", policy.server_streaming.to_string()),
        ("fingerprint", format!("0x{fingerprint:016x}")),
    ] {
        // Writing to a string cannot fail.
        let _ = writeln!(text, "    {field}: {value},");
    }
    text.push_str("},\n");
    text
}

fn option<T>(value: Option<T>, render: impl Fn(T) -> String) -> String {
    value.map_or_else(
        || "None".to_owned(),
        |value| format!("Some({})", render(value)),
    )
}

fn duration(span: Duration) -> String {
    format!("Duration::new({}, {})", span.as_secs(), span.subsec_nanos())
}

fn retry(retry: &Retry) -> String {
    let codes: Vec<String> = retry
        .codes
        .iter()
        .map(|code| format!("Code::{}", camel(code)))
        .collect();
    format!(
        "RetryPolicy {{ max_attempts: {}, codes: &[{}], initial_backoff: {}, max_backoff: {}, multiplier_percent: {} }}",
        retry.max_attempts,
        codes.join(", "),
        duration(retry.initial_backoff),
        duration(retry.max_backoff),
        retry.multiplier_percent,
    )
}

fn hedging(hedging: &Hedging) -> String {
    format!(
        "HedgingPolicy {{ max_attempts: {}, delay: {}, non_fatal_codes: &[Code::Unavailable] }}",
        hedging.max_attempts,
        duration(hedging.delay),
    )
}

fn on_unavailable(on_unavailable: &OnUnavailable) -> String {
    match on_unavailable {
        OnUnavailable::Refuse => "OnUnavailable::Refuse".to_owned(),
        OnUnavailable::Cache(max_age) => {
            format!("OnUnavailable::Cache {{ max_age: {} }}", duration(*max_age))
        }
        OnUnavailable::Queue => "OnUnavailable::Queue".to_owned(),
    }
}

fn idempotency(level: &str) -> String {
    let name = match level {
        "NO_SIDE_EFFECTS" => "NoSideEffects",
        "IDEMPOTENT" => "Idempotent",
        _ => "Unknown",
    };
    format!("Idempotency::{name}")
}

/// `DEADLINE_EXCEEDED` as `DeadlineExceeded`.
fn camel(name: &str) -> String {
    name.split('_')
        .map(|word| {
            let (first, rest) = word.split_at(word.len().min(1));
            format!("{first}{}", rest.to_ascii_lowercase())
        })
        .collect()
}
