//! Who may import whom, held against `cargo metadata`.
//!
//! `kernel <- domain <- store <- service`, `kernel <- storage <- store`, `mesh <- contracts <- clients`,
//! `host -> mesh`, a service -> its own domain and store, host, contracts and the *other* side's client.
//! A crate missing from [`RULES`] is a violation too: a new crate gets its place here first.

use std::collections::{BTreeMap, BTreeSet};

use cargo_metadata::{DependencyKind, MetadataCommand};

/// What keeps the pure crates pure: no runtime, no wire, no database.
const IMPURE: &[&str] = &["tokio", "tonic", "prost", "sea-orm", "sqlx"];
/// What a crate that only keeps rows has no business with.
const WIRE: &[&str] = &["tonic", "prost"];
/// What the two halves of the mesh have no business with.
const ROWS: &[&str] = &["sea-orm", "sqlx"];

/// The place of one crate of the house.
struct Rule {
    /// The crate's name.
    name: &'static str,
    /// Crates of the house that it may name in `[dependencies]`.
    imports: &'static [&'static str],
    /// Crates from outside that it may not reach, not even through others.
    never: &'static [&'static str],
    /// Why, and so what to do instead.
    why: &'static str,
}

const RULES: &[Rule] = &[
    Rule {
        name: "cleave-kernel",
        imports: &[],
        never: IMPURE,
        why: "the kernel is pure values; what needs a runtime, a wire or a database lives above it",
    },
    Rule {
        name: "operations-domain",
        imports: &["cleave-kernel"],
        never: IMPURE,
        why: "a domain holds rules only and imports the kernel only; the service calls it",
    },
    Rule {
        name: "billing-domain",
        imports: &["cleave-kernel"],
        never: IMPURE,
        why: "a domain holds rules only and imports the kernel only; the service calls it",
    },
    Rule {
        name: "cleave-storage",
        imports: &["cleave-kernel"],
        never: WIRE,
        why: "storage knows no entity of a side and no message; stores build on it",
    },
    Rule {
        name: "operations-store",
        imports: &["cleave-kernel", "cleave-storage", "operations-domain"],
        never: WIRE,
        why: "a store speaks domain types and rows, never messages; converting is the service's rpc layer",
    },
    Rule {
        name: "billing-store",
        imports: &["cleave-kernel", "cleave-storage", "billing-domain"],
        never: WIRE,
        why: "a store speaks domain types and rows, never messages; converting is the service's rpc layer",
    },
    Rule {
        name: "cleave-mesh",
        imports: &[],
        never: ROWS,
        why: "the mesh knows no service, so it stands below the contracts",
    },
    Rule {
        name: "cleave-contracts",
        imports: &["cleave-mesh"],
        never: ROWS,
        why: "the contracts are generated messages and the policy table, whose types the mesh owns",
    },
    Rule {
        name: "operations-client",
        imports: &["cleave-contracts", "cleave-mesh"],
        never: ROWS,
        why: "a client is what the other side links: contracts and mesh, never a crate of a service",
    },
    Rule {
        name: "billing-client",
        imports: &["cleave-contracts", "cleave-mesh"],
        never: ROWS,
        why: "a client is what the other side links: contracts and mesh, never a crate of a service",
    },
    Rule {
        name: "cleave-host",
        imports: &["cleave-kernel", "cleave-mesh"],
        never: ROWS,
        why: "the host serves any service and knows none; contracts reach it as values",
    },
    Rule {
        name: "operations",
        imports: &[
            "billing-client",
            "cleave-contracts",
            "cleave-host",
            "cleave-kernel",
            "cleave-mesh",
            "cleave-storage",
            "operations-domain",
            "operations-store",
        ],
        never: &[],
        why: "Operations knows Billing by billing-client alone; its own client is for its tests",
    },
    Rule {
        name: "billing",
        imports: &[
            "billing-domain",
            "billing-store",
            "cleave-contracts",
            "cleave-host",
            "cleave-kernel",
            "cleave-mesh",
            "cleave-storage",
            "operations-client",
        ],
        never: &[],
        why: "Billing knows Operations by operations-client alone; its own client is for its tests",
    },
    Rule {
        name: "cleave",
        imports: &[
            "billing",
            "billing-client",
            "billing-domain",
            "cleave-contracts",
            "cleave-host",
            "cleave-kernel",
            "cleave-mesh",
            "operations",
            "operations-client",
        ],
        never: &[],
        why: "the command runs both services and reads them through their clients, not through their rows",
    },
    Rule {
        name: "cleave-bench",
        imports: &[
            "billing-client",
            "cleave-contracts",
            "cleave-host",
            "cleave-kernel",
            "cleave-mesh",
            "cleave-storage",
            "operations-client",
        ],
        never: &[],
        why: "the benchmark drives the real binaries from outside, and a caller of its own records as a service does",
    },
    Rule {
        name: "cleave-e2e",
        imports: &[
            "billing",
            "billing-client",
            "cleave-contracts",
            "cleave-host",
            "cleave-kernel",
            "cleave-mesh",
            "cleave-storage",
            "operations",
            "operations-client",
        ],
        never: &[],
        why: "the whole-system tests run both services and see them from outside, through their clients",
    },
];

/// Crates of one side; nothing of the other side may import them, not even for its tests.
const OPERATIONS: &[&str] = &["operations", "operations-domain", "operations-store"];
const BILLING: &[&str] = &["billing", "billing-domain", "billing-store"];

/// Who imports whom, by crate name.
#[derive(Default)]
struct Graph {
    /// The crates of the house.
    members: BTreeSet<String>,
    /// `[dependencies]` of every crate, inside and outside the house.
    normal: BTreeMap<String, BTreeSet<String>>,
    /// `[dev-dependencies]` of the crates of the house.
    dev: BTreeMap<String, BTreeSet<String>>,
}

impl Graph {
    /// The graph of this workspace.
    fn of_workspace() -> Self {
        let manifest = concat!(env!("CARGO_MANIFEST_DIR"), "/../../Cargo.toml");
        let metadata = MetadataCommand::new()
            .manifest_path(manifest)
            .other_options(vec!["--locked".to_owned()])
            .exec()
            .expect("cargo metadata answers for this workspace");
        let names: BTreeMap<_, _> = metadata
            .packages
            .iter()
            .map(|p| (&p.id, p.name.to_string()))
            .collect();
        let mut graph = Graph::default();
        graph.members.extend(
            metadata
                .workspace_members
                .iter()
                .map(|id| names[id].clone()),
        );
        for node in &metadata
            .resolve
            .as_ref()
            .expect("metadata with dependencies")
            .nodes
        {
            let from = &names[&node.id];
            for dependency in &node.deps {
                let to = &names[&dependency.pkg];
                for kind in &dependency.dep_kinds {
                    match kind.kind {
                        DependencyKind::Normal => graph.import(from, to),
                        DependencyKind::Development => graph.import_for_tests(from, to),
                        _ => {}
                    }
                }
            }
        }
        graph
    }

    fn import(&mut self, from: &str, to: &str) {
        self.normal
            .entry(from.to_owned())
            .or_default()
            .insert(to.to_owned());
    }

    fn import_for_tests(&mut self, from: &str, to: &str) {
        self.dev
            .entry(from.to_owned())
            .or_default()
            .insert(to.to_owned());
    }

    /// The shortest chain of imports from one crate to another, both included.
    fn path(&self, from: &str, to: &str) -> Option<Vec<String>> {
        let mut seen = BTreeSet::from([from.to_owned()]);
        let mut chains = std::collections::VecDeque::from([vec![from.to_owned()]]);
        while let Some(chain) = chains.pop_front() {
            let last = chain.last().map(String::as_str).unwrap_or_default();
            if last == to {
                return Some(chain);
            }
            for next in self.normal.get(last).into_iter().flatten() {
                if seen.insert(next.clone()) {
                    chains.push_back([chain.as_slice(), std::slice::from_ref(next)].concat());
                }
            }
        }
        None
    }

    /// Every import that breaks a rule, one sentence each.
    fn violations(&self) -> Vec<String> {
        let mut found = Vec::new();
        for member in &self.members {
            let Some(rule) = RULES.iter().find(|rule| rule.name == member) else {
                found.push(format!(
                    "{member} has no place in the house: give it a rule in layering.rs"
                ));
                continue;
            };
            self.check_house(rule, &mut found);
            self.check_outside(rule, &mut found);
            self.check_tests(rule, &mut found);
        }
        found
    }

    fn check_house(&self, rule: &Rule, found: &mut Vec<String>) {
        for to in self.normal.get(rule.name).into_iter().flatten() {
            if self.members.contains(to) && !rule.imports.contains(&to.as_str()) {
                found.push(format!("{} may not import {to}: {}", rule.name, rule.why));
            }
        }
    }

    fn check_outside(&self, rule: &Rule, found: &mut Vec<String>) {
        for never in rule.never {
            if let Some(chain) = self.path(rule.name, never) {
                let chain = chain.join(" -> ");
                found.push(format!(
                    "{} may not reach {never} ({chain}): {}",
                    rule.name, rule.why
                ));
            }
        }
    }

    fn check_tests(&self, rule: &Rule, found: &mut Vec<String>) {
        let other = match rule.name {
            name if OPERATIONS.contains(&name) => BILLING,
            name if BILLING.contains(&name) => OPERATIONS,
            _ => return,
        };
        for to in self.dev.get(rule.name).into_iter().flatten() {
            if other.contains(&to.as_str()) {
                found.push(format!(
                    "{} may not import {to} for its tests: use the client's fake, or test the pair in e2e",
                    rule.name
                ));
            }
        }
    }
}

/// The house as the rules allow it, with every permitted import made.
fn permitted_house() -> Graph {
    let mut graph = Graph::default();
    for rule in RULES {
        graph.members.insert(rule.name.to_owned());
        for to in rule.imports {
            graph.import(rule.name, to);
        }
    }
    graph
}

#[test]
fn this_workspace_keeps_the_rules() {
    let violations = Graph::of_workspace().violations();
    assert!(
        violations.is_empty(),
        "layering broken:\n  {}",
        violations.join("\n  ")
    );
}

#[test]
fn every_rule_names_a_crate_that_exists() {
    let members = Graph::of_workspace().members;
    for rule in RULES {
        assert!(members.contains(rule.name), "no crate {}", rule.name);
        for to in rule.imports {
            assert!(
                members.contains(*to),
                "{} may import {to}, which does not exist",
                rule.name
            );
        }
    }
}

#[test]
fn given_only_permitted_imports_then_nothing_is_found() {
    assert_eq!(permitted_house().violations(), Vec::<String>::new());
}

#[test]
fn given_any_import_that_is_not_permitted_then_it_is_named() {
    for from in RULES {
        let others = RULES.iter().filter(|to| to.name != from.name);
        for to in others.filter(|to| !from.imports.contains(&to.name)) {
            let mut graph = permitted_house();
            graph.import(from.name, to.name);
            let expected = format!("{} may not import {}: ", from.name, to.name);
            let violations = graph.violations();
            assert!(
                violations.iter().any(|found| found.starts_with(&expected)),
                "{} -> {} passed unseen: {violations:?}",
                from.name,
                to.name
            );
        }
    }
}

#[test]
fn given_the_imports_the_design_forbids_by_name_then_each_is_found() {
    let forbidden = [
        ("operations-client", "operations"),
        ("billing-client", "billing-store"),
        ("billing", "operations-domain"),
        ("billing", "operations"),
        ("operations", "billing-store"),
        ("operations-domain", "cleave-contracts"),
        ("billing-domain", "cleave-storage"),
        ("billing-store", "cleave-contracts"),
        ("operations", "operations-client"),
        ("cleave-mesh", "cleave-contracts"),
        ("cleave-kernel", "cleave-host"),
    ];
    for (from, to) in forbidden {
        let mut graph = permitted_house();
        graph.import(from, to);
        assert_eq!(
            graph.violations().len(),
            1,
            "{from} -> {to}: {:?}",
            graph.violations()
        );
    }
}

#[test]
fn given_a_pure_crate_that_reaches_a_runtime_through_another_then_the_chain_is_named() {
    let mut graph = permitted_house();
    graph.import("billing-domain", "innocent");
    graph.import("innocent", "tokio");
    let violations = graph.violations();
    assert_eq!(violations.len(), 1, "{violations:?}");
    assert!(
        violations[0].contains("billing-domain -> innocent -> tokio"),
        "{violations:?}"
    );
}

#[test]
fn given_a_test_dependency_across_sides_then_it_is_found() {
    let mut graph = permitted_house();
    graph.import_for_tests("billing", "operations");
    graph.import_for_tests("billing", "billing-client");
    let violations = graph.violations();
    assert_eq!(violations.len(), 1, "{violations:?}");
    assert!(violations[0].starts_with("billing may not import operations for its tests"));
}

#[test]
fn given_a_crate_without_a_rule_then_it_is_asked_for() {
    let mut graph = permitted_house();
    graph.members.insert("newcomer".to_owned());
    assert_eq!(graph.violations().len(), 1);
}
