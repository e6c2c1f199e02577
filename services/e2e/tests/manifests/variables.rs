//! The environment variables that documents, images and the compose file name. A service leaves alone what does not
//! begin like its own, so a name that is misspelt at its beginning would change nothing, and nobody would be told.

use anyhow::{Context as _, Result};
use billing::Billing;
use cleave_host::command::Program;
use operations::Operations;
use std::path::{Path, PathBuf};
use toml::{Table, Value};

/// Where this repository is.
const ROOT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../..");
/// What ends a value in a line of a shell, or of prose.
const ENDS: &[char] = &[' ', '\n', '`', '"', '\'', ')', ','];

/// A variable by name, with its value where the text gives one.
type Variable = (String, Option<String>);

/// What people read and what containers are made of.
fn files() -> Result<Vec<PathBuf>> {
    let mut found = vec![Path::new(ROOT).join("README.md")];
    for folder in [
        "deploy",
        "deploy/images/operations",
        "deploy/images/billing",
    ] {
        for entry in std::fs::read_dir(Path::new(ROOT).join(folder))? {
            let path = entry?.path();
            let ending = path.extension().and_then(|ending| ending.to_str());
            if matches!(ending, Some("md" | "yaml")) || path.ends_with("Dockerfile") {
                found.push(path);
            }
        }
    }
    Ok(found)
}

/// The variables in a text that begin with the name of this service.
fn variables(text: &str, beginning: &str) -> Vec<Variable> {
    let part = |c: char| c.is_ascii_alphanumeric() || c == '_';
    let starts = text.match_indices(beginning).filter(|(at, _)| {
        let before = text.get(..*at).and_then(|before| before.chars().last());
        !before.is_some_and(part)
    });
    starts
        .filter_map(|(at, _)| {
            let rest = text.get(at..)?;
            let name = rest.split(|c| !part(c)).next()?;
            let rest = rest.strip_prefix(name)?;
            let of_shell = rest
                .strip_prefix('=')
                .and_then(|rest| rest.split(ENDS).next());
            let of_yaml = rest.strip_prefix(": ").and_then(|rest| rest.lines().next());
            Some((name.to_owned(), of_shell.or(of_yaml).map(str::to_owned)))
        })
        .collect()
}

/// What the service's loader has to say of them.
fn faults<P: Program>(text: &str) -> Vec<String> {
    let capitals = P::NAME.to_uppercase();
    let prefix = format!("{capitals}__");
    let mut faults = Vec::new();
    let mut given = Vec::new();
    for (name, value) in variables(text, &format!("{capitals}_")) {
        match name.strip_prefix(&prefix) {
            // Short for "the same of the other service".
            Some("") => {}
            Some(key) => given.push((name.clone(), value.unwrap_or_else(|| usual::<P>(key)))),
            None => faults.push(format!("{name} is read by nobody: it begins with {prefix}")),
        }
    }
    if let Err(rejected) = P::loader().variables(given).load::<P::Settings>() {
        faults.push(rejected.to_string());
    }
    faults
}

/// The default of a key, for a name without a value; empty where there is no such key, which the loader will tell.
fn usual<P: Program>(key: &str) -> String {
    let defaults: Table = P::loader().documentation().parse().unwrap_or_default();
    let key = key.to_lowercase();
    let value = key
        .split("__")
        .try_fold(Value::Table(defaults), |value, name| {
            value.get(name).cloned()
        });
    value.map_or_else(String::new, |value| match value {
        Value::String(text) => text,
        other => other.to_string(),
    })
}

#[test]
fn every_variable_that_is_named_anywhere_is_one_that_the_services_read() -> Result<()> {
    let mut found = Vec::new();
    for path in files()? {
        let text = std::fs::read_to_string(&path).with_context(|| path.display().to_string())?;
        let faults = [faults::<Operations>(&text), faults::<Billing>(&text)].concat();
        found.extend(
            faults
                .iter()
                .map(|fault| format!("{}: {fault}", path.display())),
        );
    }
    assert!(found.is_empty(), "{}", found.join("\n"));
    Ok(())
}

#[test]
fn variables_that_nobody_reads_are_found() {
    for (text, fault) in [
        (
            "BILLING_RATING__SETTLE_AFTER=72h billing serve",
            "read by nobody",
        ),
        (
            "`BILLING__RATING__SETTLE_AFTR`",
            "did you mean settle_after?",
        ),
        ("BILLING__RATING__SETTLE_AFTER: long\n", "settle_after"),
    ] {
        let faults = faults::<Billing>(text).concat();
        assert!(faults.contains(fault), "{text}: {faults}");
    }
    for text in [
        "(`BILLING__...`)",
        "OPERATIONS__PEERS__BILLING= operations serve",
        "set `BILLING__RATING__SETTLE_AFTER=72h`, and",
        "  BILLING__HOST__WORKERS: 2\n",
    ] {
        let faults = [faults::<Operations>(text), faults::<Billing>(text)].concat();
        assert_eq!(faults, Vec::<String>::new(), "{text}");
    }
}
