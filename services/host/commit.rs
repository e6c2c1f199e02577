//! The build script of whatever has a binary: finds the commit when `CLEAVE_COMMIT` does not name it.
//!
//! In builds for people only (`release` and what inherits it): there a new commit builds the three packages with
//! binaries anew. Development builds say that their commit is unknown, so that no commit makes anybody wait; and
//! where `CLEAVE_COMMIT` is given, only the binaries themselves look at it.

use std::env;
use std::path::Path;
use std::process::Command;

/// The root of the workspace, seen from any package with a binary.
const ROOT: &str = "../..";

fn main() {
    println!("cargo:rerun-if-changed=Cargo.toml");
    if env::var("PROFILE").as_deref() != Ok("release") || env::var_os("CLEAVE_COMMIT").is_some() {
        return;
    }
    // Sources without a history, perhaps within a folder that has one.
    let top = git(&["rev-parse", "--show-toplevel"]);
    if top.is_none_or(|top| {
        Path::new(&top).canonicalize().ok() != Path::new(ROOT).canonicalize().ok()
    }) {
        return;
    }
    // Grows with whatever moves HEAD; a worktree has one of its own.
    let moves = git(&["rev-parse", "--git-path", "logs/HEAD"]);
    if let Some(moves) = moves.filter(|moves| Path::new(moves).exists()) {
        println!("cargo:rerun-if-changed={moves}");
    }
    if let Some(commit) = git(&["rev-parse", "--short", "HEAD"]) {
        println!("cargo:rustc-env=CLEAVE_GIT_COMMIT={commit}");
    }
}

/// What git says, on one line; nothing when there is none, or it fails.
fn git(arguments: &[&str]) -> Option<String> {
    let output = Command::new("git").args(arguments).output().ok()?;
    let text = String::from_utf8(output.stdout).ok()?;
    let line = text.trim();
    (output.status.success() && !line.is_empty()).then(|| line.to_owned())
}
