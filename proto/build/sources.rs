//! Finds the `.proto` files below a folder and compiles them.

use anyhow::{Context, Result};
use std::fs;
use std::path::{Path, PathBuf};

/// Compiles every `.proto` file below `root`, imports and source positions included.
pub fn compile(root: &Path) -> Result<protox::Compiler> {
    let mut files = Vec::new();
    collect(root, &mut files)?;
    // A fixed order makes the generated code and the descriptor set the same on every machine.
    files.sort();
    let mut compiler = protox::Compiler::new([root]).context("opening the folder of contracts")?;
    compiler.include_source_info(true).include_imports(true);
    compiler
        .open_files(files)
        .context("compiling the contracts")?;
    Ok(compiler)
}

fn collect(folder: &Path, files: &mut Vec<PathBuf>) -> Result<()> {
    let entries = fs::read_dir(folder).with_context(|| format!("reading {}", folder.display()))?;
    for entry in entries {
        let path = entry?.path();
        if path.is_dir() {
            collect(&path, files)?;
        } else if path
            .extension()
            .is_some_and(|extension| extension == "proto")
        {
            files.push(path);
        }
    }
    Ok(())
}
