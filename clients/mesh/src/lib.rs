//! The caller's half of the mesh.
//!
//! Knows how to reach a peer and how a call may fail; knows no service by name.

pub mod metadata;
pub mod policy;
