//! Which database a service gets.

use std::path::Path;

use anyhow::{Context, Result};

/// The database that was named, or a file of the data directory.
pub(crate) fn url(named: Option<&String>, data_dir: &Path, file: &str) -> Result<String> {
    if let Some(url) = named {
        return Ok(url.clone());
    }
    let dir = data_dir
        .canonicalize()
        .with_context(|| format!("finding {}", data_dir.display()))?;
    Ok(format!("sqlite://{}", dir.join(file).display()))
}
