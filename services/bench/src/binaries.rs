//! The binaries under test: those that are given, or built as they ship.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context, Result, ensure};

/// The binary that was given for `service`, or one built from `root`.
///
/// # Errors
/// When it does not build.
pub(crate) fn given_or_built(
    given: Option<&PathBuf>,
    root: &Path,
    service: &str,
) -> Result<PathBuf> {
    given.map_or_else(|| build(root, service), |binary| Ok(binary.clone()))
}

/// Builds the service as it ships and answers where its binary is.
fn build(root: &Path, service: &str) -> Result<PathBuf> {
    eprintln!("building the {service} service with the dist profile");
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let built = Command::new(cargo)
        .current_dir(root)
        .args(["build", "--locked", "--profile", "dist"])
        .args(["--package", service, "--bin", service])
        .args(["--message-format", "json-render-diagnostics"])
        .stderr(Stdio::inherit())
        .output()
        .context("starting cargo")?;
    ensure!(
        built.status.success(),
        "the {service} service does not build"
    );
    let messages = String::from_utf8(built.stdout)?;
    let messages = messages
        .lines()
        .filter_map(|line| serde_json::from_str::<serde_json::Value>(line).ok());
    let binary = messages
        .filter_map(|message| message["executable"].as_str().map(PathBuf::from))
        .next_back();
    binary.with_context(|| format!("cargo named no {service} binary"))
}
