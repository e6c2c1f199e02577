//! Which release this process is: version, commit, contract, databases.
//!
//! The commit is known to the binary alone, so that a new one builds nothing but binaries anew.

use cleave_mesh::policy::PolicyTable;
use std::sync::OnceLock;

/// The version of the whole workspace.
pub const VERSION: &str = env!("CARGO_PKG_VERSION");

/// What nobody has said.
const UNKNOWN: &str = "unknown";

/// The commit that the binary of this process was built from.
static COMMIT: OnceLock<&'static str> = OnceLock::new();

/// The commit that the calling crate is built from: `CLEAVE_COMMIT` of the build's environment, or what its build
/// script (`services/host/commit.rs`) found out. Only a binary should ask: whoever asks is built anew for each commit.
#[macro_export]
macro_rules! commit {
    () => {
        match option_env!("CLEAVE_COMMIT") {
            Some(commit) => Some(commit),
            None => option_env!("CLEAVE_GIT_COMMIT"),
        }
    };
}

/// Says which commit this process was built from; the first call decides.
pub fn built_from(commit: Option<&'static str>) {
    if let Some(commit) = commit.filter(|commit| !commit.is_empty()) {
        COMMIT.get_or_init(|| commit);
    }
}

/// The commit that this process was built from.
#[must_use]
pub fn commit() -> &'static str {
    COMMIT.get().unwrap_or(&UNKNOWN)
}

/// The fingerprint of contracts, as people read it.
#[must_use]
pub fn contract(policies: PolicyTable) -> String {
    match policies.fingerprint() {
        0 => UNKNOWN.to_owned(),
        known => format!("{known:016x}"),
    }
}

/// What `-V` says after the name.
#[must_use]
pub fn short() -> String {
    format!("{VERSION} ({})", commit())
}

/// What `--version` says after the name.
#[must_use]
pub fn long(policies: PolicyTable, databases: &str) -> String {
    format!(
        "{VERSION}\ncommit: {}\ncontract: {}\ndatabases: {databases}",
        commit(),
        contract(policies),
    )
}
