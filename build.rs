//! Turns `proto/` into messages, server traits, clients, the descriptor set and the static policy table.
//!
//! protox compiles the contracts, so no protoc is needed. The checks and the table's generator live in
//! `proto/build/`, where tests reach them too.

#[path = "proto/build/policy.rs"]
mod policy;
#[path = "proto/build/shape.rs"]
mod shape;
#[path = "proto/build/sources.rs"]
mod sources;
#[path = "proto/build/table.rs"]
mod table;

use anyhow::{Context, Result, bail};
use prost::Message as _;
use std::env;
use std::fs;
use std::path::{Path, PathBuf};

/// The file with the shape of all methods.
const SHAPE: &str = "shape.binpb";

fn main() -> Result<()> {
    println!("cargo:rerun-if-changed=proto");
    println!("cargo:rerun-if-changed=clients/mesh/src/contract/shape.rs");
    let root = Path::new("proto");
    let out = PathBuf::from(env::var_os("OUT_DIR").context("cargo sets OUT_DIR")?);

    let mut compiler = sources::compile(root)?;
    let policies = policy::read(&compiler.descriptor_pool());
    let policies = match policies {
        Ok(policies) => policies,
        Err(faults) => {
            for fault in &faults {
                println!("cargo::error={fault}");
            }
            bail!("{} fault(s) in the policies of the contracts", faults.len());
        }
    };
    let shape = shape::read(&compiler.descriptor_pool());
    let fingerprints = shape::fingerprints(&shape);
    fs::write(out.join(SHAPE), shape.encode_to_vec())?;
    let table = table::render(&policies, &fingerprints, shape::whole(&fingerprints), SHAPE);
    fs::write(out.join("policies.rs"), table)?;
    // protox's own encoder keeps the options of the methods; a detour through prost-types would drop them.
    fs::write(
        out.join("contracts.binpb"),
        compiler.encode_file_descriptor_set(),
    )?;

    tonic_prost_build::configure()
        .build_client(has_feature("CLIENT"))
        .build_server(has_feature("SERVER"))
        // Callers bring their own channel: the mesh's.
        .build_transport(false)
        .emit_rerun_if_changed(false)
        .include_file("contracts.rs")
        .compile_fds(compiler.include_source_info(true).file_descriptor_set())
        .context("generating code from the contracts")
}

fn has_feature(name: &str) -> bool {
    env::var_os(format!("CARGO_FEATURE_{name}")).is_some()
}
