//! Every reason for a refusal is raised by a test, and every RPC is called by one.
//!
//! A side's tests are those of its service, the cases that its fake passes as well, and the whole-system tests here. A reason counts once a test names it, as
//! the enum's variant or as the string on the wire; an RPC counts once a test calls the method of that name. What a
//! comment says counts for nothing.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use prost::Message;
use prost_types::FileDescriptorSet;

/// One side of the house: the package of its contracts and the folder of its service.
struct Side {
    package: &'static str,
    folder: &'static str,
}

const OPERATIONS: Side = Side {
    package: "cleave.operations.v1",
    folder: "operations",
};
const BILLING: Side = Side {
    package: "cleave.billing.v1",
    folder: "billing",
};

impl Side {
    /// The reasons of this side as they travel, such as `ACCOUNT_BLOCKED`.
    fn reasons(&self) -> Vec<String> {
        let files = contracts()
            .file
            .into_iter()
            .filter(|file| file.package() == self.package);
        let enums = files.flat_map(|file| file.enum_type);
        let values = enums
            .filter(|e| e.name() == "ErrorReason")
            .flat_map(|e| e.value);
        values
            .filter(|value| value.number() != 0)
            .map(|value| value.name().trim_start_matches("ERROR_REASON_").to_owned())
            .collect()
    }

    /// The RPCs of this side, such as `AccountService.GetAccount`.
    fn methods(&self) -> Vec<String> {
        let files = contracts()
            .file
            .into_iter()
            .filter(|file| file.package() == self.package);
        files
            .flat_map(|file| file.service)
            .flat_map(|service| {
                let name = service.name().to_owned();
                service
                    .method
                    .into_iter()
                    .map(move |method| format!("{name}.{}", method.name()))
            })
            .collect()
    }

    /// The text of every test that counts for this side, without comments.
    fn tests(&self) -> String {
        let services = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
        let mut files = Vec::new();
        collect(&services.join(self.folder).join("tests"), &mut files);
        collect(&services.join("e2e/tests"), &mut files);
        // The cases that the real service and its fake both pass; the service's tests run them.
        collect(
            &services
                .join("../clients")
                .join(self.folder)
                .join("src/conformance"),
            &mut files,
        );
        files.sort();
        let this = Path::new(file!()).file_name();
        let others = files.iter().filter(|path| path.file_name() != this);
        let texts = others.map(|path| std::fs::read_to_string(path).expect("a test can be read"));
        texts
            .map(|text| without_comments(&text))
            .collect::<Vec<_>>()
            .join("\n")
    }
}

fn contracts() -> FileDescriptorSet {
    FileDescriptorSet::decode(cleave_contracts::FILE_DESCRIPTOR_SET)
        .expect("the embedded set is a descriptor set")
}

/// Every Rust file below `folder`; none when there is no such folder.
fn collect(folder: &Path, files: &mut Vec<PathBuf>) {
    let Ok(entries) = std::fs::read_dir(folder) else {
        return;
    };
    for path in entries.filter_map(Result::ok).map(|entry| entry.path()) {
        if path.is_dir() {
            collect(&path, files);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            files.push(path);
        }
    }
}

fn without_comments(text: &str) -> String {
    let code = text
        .lines()
        .filter(|line| !line.trim_start().starts_with("//"));
    code.collect::<Vec<_>>().join("\n")
}

/// The words of a program: identifiers, also those inside strings.
fn words(text: &str) -> BTreeSet<&str> {
    text.split(|c: char| !c.is_ascii_alphanumeric() && c != '_')
        .collect()
}

/// `ACCOUNT_BLOCKED` as the generated enum spells it: `AccountBlocked`.
fn variant(reason: &str) -> String {
    let word = |word: &str| {
        let (head, tail) = word.split_at(1);
        format!("{head}{}", tail.to_ascii_lowercase())
    };
    reason
        .split('_')
        .filter(|part| !part.is_empty())
        .map(word)
        .collect()
}

/// `GetAccount` as the generated client spells it: `get_account`.
fn function(method: &str) -> String {
    let mut name = String::new();
    for letter in method.chars() {
        if letter.is_ascii_uppercase() && !name.is_empty() {
            name.push('_');
        }
        name.push(letter.to_ascii_lowercase());
    }
    name
}

fn reasons_never_raised(reasons: &[String], tests: &str) -> Vec<String> {
    let words = words(tests);
    let raised = |reason: &String| {
        let wire = format!("ERROR_REASON_{reason}");
        [reason.as_str(), &wire, &variant(reason)]
            .iter()
            .any(|name| words.contains(name))
    };
    reasons
        .iter()
        .filter(|reason| !raised(reason))
        .cloned()
        .collect()
}

fn methods_never_called(methods: &[String], tests: &str) -> Vec<String> {
    let tests: String = tests.split_whitespace().collect();
    let called = |method: &String| {
        let name = function(method.rsplit('.').next().unwrap_or(method));
        tests.contains(&format!(".{name}(")) || tests.contains(&format!("::{name}("))
    };
    methods
        .iter()
        .filter(|method| !called(method))
        .cloned()
        .collect()
}

/// What `missing` finds for each side, as one list.
fn of_both_sides(missing: impl Fn(&Side) -> Vec<String>) -> String {
    let name = |side: &Side| {
        let elements = missing(side).into_iter();
        elements
            .map(|element| format!("{}: {element}", side.package))
            .collect::<Vec<_>>()
    };
    [OPERATIONS, BILLING]
        .iter()
        .flat_map(name)
        .collect::<Vec<_>>()
        .join("\n  ")
}

#[test]
fn every_reason_of_both_sides_is_raised_by_a_test() {
    let missing = of_both_sides(|side| reasons_never_raised(&side.reasons(), &side.tests()));
    assert!(missing.is_empty(), "no test raises\n  {missing}");
}

#[test]
fn every_rpc_of_both_sides_is_called_by_a_test() {
    let missing = of_both_sides(|side| methods_never_called(&side.methods(), &side.tests()));
    assert!(missing.is_empty(), "no test calls\n  {missing}");
}

#[test]
fn the_contracts_of_both_sides_are_found() {
    for side in [OPERATIONS, BILLING] {
        assert!(
            side.reasons().len() > 5,
            "{}: {:?}",
            side.package,
            side.reasons()
        );
        assert!(
            side.methods().len() > 10,
            "{}: {:?}",
            side.package,
            side.methods()
        );
    }
}

#[test]
fn given_tests_that_name_a_reason_then_only_the_others_are_missing() {
    let reasons = ["ACCOUNT_BLOCKED", "ACCOUNT_CLOSED", "NO_LEASE", "LEASE"].map(str::to_owned);
    let tests =
        "refused(ErrorReason::AccountBlocked);\n  // ACCOUNT_CLOSED\n refused(\"NO_LEASE\");";
    let missing = reasons_never_raised(&reasons, &without_comments(tests));
    assert_eq!(missing, ["ACCOUNT_CLOSED", "LEASE"]);
}

#[test]
fn given_tests_that_call_a_method_then_only_the_others_are_missing() {
    let methods = ["A.GetAccount", "A.BatchGetSpend", "A.CloseAccount"].map(str::to_owned);
    let tests = "client\n    .get_account(id).await; let close_account = 1; x.batch_get_spend\n(y)";
    assert_eq!(methods_never_called(&methods, tests), ["A.CloseAccount"]);
}
