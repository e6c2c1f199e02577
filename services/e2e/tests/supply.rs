//! What comes in from outside, held against `.deny.toml`: where it comes from, under which licence, how often. And what
//! goes out with a release: its bill of materials, and the version and contract that notes, documents and images name.
//!
//! Goes by what cargo says and no more, so that it needs neither cargo-deny nor the network.

use cleave_host::command::Program as _;
use cleave_host::release;
use operations::Operations;
use serde::Deserialize;
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};
use std::process::Command;

const ROOT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../..");
/// Where crates come from, as Cargo.lock has it.
const REGISTRY: &str = "registry+https://github.com/rust-lang/crates.io-index";

/// The parts of `.deny.toml` that are held here.
#[derive(Deserialize)]
struct Rules {
    graph: Graph,
    licenses: Licenses,
    bans: Bans,
}

#[derive(Deserialize)]
struct Graph {
    targets: Vec<String>,
}

#[derive(Deserialize)]
struct Licenses {
    allow: BTreeSet<String>,
}

#[derive(Deserialize)]
struct Bans {
    skip: Vec<Skip>,
}

#[derive(Deserialize)]
struct Skip {
    #[serde(rename = "crate")]
    name: String,
    reason: String,
}

#[derive(Deserialize)]
struct Lock {
    package: Vec<Locked>,
}

#[derive(Deserialize)]
struct Locked {
    name: String,
    source: Option<String>,
}

/// A crate that becomes part of a binary, or builds one.
#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Crate {
    name: String,
    version: String,
    license: String,
}

fn read<T: for<'a> Deserialize<'a>>(file: &str) -> T {
    let text = std::fs::read_to_string(format!("{ROOT}/{file}")).expect("there");
    toml::from_str(&text).unwrap_or_else(|error| panic!("{file}: {error}"))
}

/// Everything from outside that is built for these targets; not what only tests need.
fn shipped(targets: &[String]) -> BTreeSet<Crate> {
    let mut found = BTreeSet::new();
    for target in targets {
        let output = Command::new(env!("CARGO"))
            .current_dir(ROOT)
            .args(["tree", "--locked", "--workspace", "--target", target])
            .args(["--edges", "normal,build", "--prefix", "none"])
            .args(["--format", "|{p}|{l}|"])
            .output()
            .expect("cargo runs");
        let text = String::from_utf8(output.stdout).expect("text");
        assert!(
            output.status.success(),
            "{}",
            String::from_utf8_lossy(&output.stderr)
        );
        found.extend(text.lines().filter_map(parse));
    }
    found
}

/// A line of the tree; nothing for the crates of the house, which lie in a folder.
fn parse(line: &str) -> Option<Crate> {
    let mut parts = line.strip_prefix('|')?.split('|');
    let (package, license) = (parts.next()?, parts.next()?);
    let mut words = package.split(' ');
    let (name, version) = (words.next()?, words.next()?.strip_prefix('v')?);
    let from_folder = words.any(|word| word.starts_with("(/"));
    (!from_folder).then(|| Crate {
        name: name.to_owned(),
        version: version.to_owned(),
        license: license.to_owned(),
    })
}

/// Whether a licence expression can be met with the allowed ones: every part of an AND, any of an OR.
fn permits(allowed: &BTreeSet<String>, expression: &str) -> bool {
    // Before there were expressions, a slash stood for OR.
    let spaced = expression.replace('/', " OR ");
    let spaced = spaced.replace('(', " ( ").replace(')', " ) ");
    let words: Vec<&str> = spaced.split_whitespace().collect();
    let mut rest = words.as_slice();
    any(allowed, &mut rest) && rest.is_empty()
}

fn any(allowed: &BTreeSet<String>, rest: &mut &[&str]) -> bool {
    let mut met = all(allowed, rest);
    while let [word, after @ ..] = *rest
        && *word == "OR"
    {
        *rest = after;
        met |= all(allowed, rest);
    }
    met
}

fn all(allowed: &BTreeSet<String>, rest: &mut &[&str]) -> bool {
    let mut met = one(allowed, rest);
    while let [word, after @ ..] = *rest
        && *word == "AND"
    {
        *rest = after;
        met &= one(allowed, rest);
    }
    met
}

fn one(allowed: &BTreeSet<String>, rest: &mut &[&str]) -> bool {
    match *rest {
        ["(", after @ ..] => {
            *rest = after;
            let met = any(allowed, rest);
            *rest = rest.strip_prefix(&[")"]).unwrap_or(&["unclosed"]);
            met
        }
        [name, "WITH", exception, after @ ..] => {
            *rest = after;
            allowed.contains(&format!("{name} WITH {exception}"))
        }
        [name, after @ ..] => {
            *rest = after;
            allowed.contains(*name)
        }
        [] => false,
    }
}

/// Crates of several versions: all versions of each but the newest, as `name@version`.
fn older_versions(crates: &BTreeSet<Crate>) -> BTreeSet<String> {
    let mut versions: BTreeMap<&str, Vec<Vec<u64>>> = BTreeMap::new();
    for one in crates {
        let numbers = one.version.split(['+', '-']).next().unwrap_or_default();
        let numbers = numbers.split('.').filter_map(|part| part.parse().ok());
        versions
            .entry(&one.name)
            .or_default()
            .push(numbers.collect());
    }
    let mut found = BTreeSet::new();
    for (name, mut versions) in versions {
        versions.sort();
        versions.dedup();
        versions.pop();
        for numbers in versions {
            let text: Vec<String> = numbers.iter().map(u64::to_string).collect();
            found.insert(format!("{name}@{}", text.join(".")));
        }
    }
    found
}

/// Whether `name@1.2` stands for `name@1.2.3`.
fn covers(skip: &str, found: &str) -> bool {
    found == skip
        || found
            .strip_prefix(skip)
            .is_some_and(|rest| rest.starts_with('.'))
}

#[test]
fn every_crate_comes_from_the_registry_or_the_house() {
    let lock: Lock = read("Cargo.lock");
    let foreign = lock.package.iter().filter_map(|package| {
        let source = package.source.as_deref()?;
        (source != REGISTRY).then(|| format!("{} from {source}", package.name))
    });
    assert_eq!(foreign.collect::<Vec<_>>(), Vec::<String>::new());
}

#[test]
fn every_crate_that_is_shipped_has_a_licence_that_is_allowed_and_none_is_allowed_in_vain() {
    let rules: Rules = read(".deny.toml");
    let crates = shipped(&rules.graph.targets);
    assert!(crates.len() > 100, "the tree was not understood");
    let allowed = &rules.licenses.allow;
    let refused: Vec<_> = crates
        .iter()
        .filter(|one| !permits(allowed, &one.license))
        .collect();
    assert!(
        refused.is_empty(),
        "not allowed by .deny.toml: {refused:#?}"
    );
    for name in allowed {
        let used = crates.iter().any(|one| one.license.contains(name.as_str()));
        assert!(used, "{name} is allowed in .deny.toml and nobody needs it");
    }
}

#[test]
fn every_second_version_of_a_crate_has_a_reason_and_every_reason_a_crate() {
    let rules: Rules = read(".deny.toml");
    let found = older_versions(&shipped(&rules.graph.targets));
    let skips = &rules.bans.skip;
    let unknown: Vec<_> = found
        .iter()
        .filter(|found| !skips.iter().any(|skip| covers(&skip.name, found)))
        .collect();
    assert!(
        unknown.is_empty(),
        "beside a newer version, without a reason in .deny.toml: {unknown:?}"
    );
    for skip in skips {
        assert!(!skip.reason.is_empty(), "{} has no reason", skip.name);
        let needed = found.iter().any(|found| covers(&skip.name, found));
        assert!(needed, "{} is gone: take it out of .deny.toml", skip.name);
    }
}

#[test]
fn licence_expressions_are_understood() {
    let allowed: BTreeSet<String> = ["MIT", "ISC"].map(str::to_owned).into();
    for met in [
        "MIT",
        "MIT/Apache-2.0",
        "GPL-3.0 OR MIT",
        "MIT AND ISC",
        "(GPL-3.0 OR ISC) AND MIT",
        "Apache-2.0 WITH LLVM-exception OR MIT",
    ] {
        assert!(permits(&allowed, met), "{met}");
    }
    for unmet in [
        "",
        "GPL-3.0",
        "MIT AND GPL-3.0",
        "(MIT OR ISC) AND GPL-3.0",
        "MIT WITH some-exception",
        "(MIT",
        "MIT ISC",
    ] {
        assert!(!permits(&allowed, unmet), "{unmet}");
    }
}

/// What a text says between two others.
fn between<'a>(text: &'a str, before: &str, after: &str) -> Option<&'a str> {
    text.split_once(before)?.1.split(after).next()
}

fn document(name: &str) -> String {
    std::fs::read_to_string(format!("{ROOT}/{name}")).expect("there")
}

#[test]
fn the_notes_of_the_release_name_the_contract_that_it_speaks() {
    let notes = document("deploy/RELEASES.md");
    let heading = format!("\n## {}\n", release::VERSION);
    let notes = between(&notes, &heading, "\n## ").expect("notes");
    let named = between(notes, "ontract `", "`");
    assert_eq!(named, Some(&*release::contract(Operations::policies())));
}

#[test]
fn every_release_that_a_document_refers_to_is_this_one() {
    let runbook = document("deploy/RUNBOOK.md");
    let references: Vec<_> = runbook.split("?ref=").skip(1).collect();
    assert!(references.len() > 2);
    for reference in references {
        let end = |c: char| c.is_whitespace() || c == ']';
        assert_eq!(reference.split(end).next(), Some(release::VERSION));
    }
    for file in ["deploy/RUNBOOK.md", "deploy/compose.yaml"] {
        let text = document(file);
        for name in ["operations", "billing", "cleave", "$name"] {
            for tag in text.split(&format!("cleave/{name}:")).skip(1) {
                assert!(tag.starts_with(release::VERSION), "{file}: cleave/{name}");
            }
        }
    }
}

#[test]
fn images_that_compose_builds_are_labelled_as_what_they_are() {
    let compose = document("deploy/compose.yaml");
    let mut compose: Value = yaml_serde::from_str(&compose).expect("YAML");
    let services = compose["services"].as_object_mut().expect("services");
    let mut built = 0;
    for (name, service) in services {
        let build = &service["build"];
        if build.is_null() {
            continue;
        }
        built += 1;
        let arguments = &build["args"];
        assert_eq!(arguments["VERSION"], release::VERSION, "{name}");
        let contract = release::contract(Operations::policies());
        assert_eq!(arguments["CONTRACT"], contract.as_str(), "{name}");
        // Nobody but whoever builds knows it.
        assert_eq!(arguments["REVISION"], "${CLEAVE_COMMIT:-unknown}", "{name}");
    }
    assert_eq!(built, 3);
}

/// The bill of materials of a binary; nothing where there is no Python to write it.
fn bill(binary: &str) -> Option<Vec<u8>> {
    let python = Command::new("python3").arg("--version").output();
    if !python.is_ok_and(|done| done.status.success()) {
        eprintln!("no python3 is at hand: the bill of materials is not covered");
        return None;
    }
    let output = Command::new(format!("{ROOT}/deploy/sbom"))
        .arg(binary)
        .output()
        .expect("it runs");
    let complaint = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{complaint}");
    Some(output.stdout)
}

#[test]
fn the_bill_of_materials_names_all_that_is_in_a_binary_with_licence_and_checksum() {
    let Some(text) = bill("operations") else {
        return;
    };
    assert_eq!(Some(&text), bill("operations").as_ref(), "the same again");
    let bill: Value = serde_json::from_slice(&text).expect("JSON");
    assert_eq!(bill["bomFormat"], "CycloneDX");
    assert_eq!(bill["specVersion"], "1.5");
    let own = &bill["metadata"]["component"];
    assert_eq!(
        own["purl"],
        format!("pkg:cargo/operations@{}", release::VERSION)
    );

    let components = bill["components"].as_array().expect("components");
    let lock: Lock = read("Cargo.lock");
    let mut known = BTreeSet::from([own["bom-ref"].as_str().expect("a reference")]);
    for component in components {
        let name = component["name"].as_str().expect("a name");
        assert_eq!(component["purl"], component["bom-ref"], "{name}");
        assert!(
            known.insert(component["bom-ref"].as_str().expect("a reference")),
            "{name} twice"
        );
        assert!(component["licenses"][0]["expression"].is_string(), "{name}");
        let from_outside = lock
            .package
            .iter()
            .any(|package| package.name == name && package.source.is_some());
        let sum = component["hashes"][0]["content"]
            .as_str()
            .unwrap_or_default();
        assert_eq!(sum.len() == 64, from_outside, "{name}: {sum:?}");
    }
    let named = |name: &str| components.iter().any(|component| component["name"] == name);
    assert!(named("tonic") && named("cleave-mesh") && named("sea-orm"));
    // Nothing that only tests need, nothing that only the other service has.
    assert!(!named("proptest") && !named("billing"));
    for needs in bill["dependencies"].as_array().expect("dependencies") {
        let mut all = needs["dependsOn"].as_array().expect("a list").iter();
        let there = |one: &Value| one.as_str().is_some_and(|one| known.contains(one));
        assert!(there(&needs["ref"]) && all.all(there), "{needs}");
    }
}
