//! The contracts of Cleave, generated from the `.proto` files beside this one: messages, and behind the features
//! `server` and `client` the service traits and the clients.
//!
//! No logic lives here. [`POLICIES`] says of every method how a call of it may fail; [`FILE_DESCRIPTOR_SET`] is what
//! reflection serves.

#[allow(
    clippy::all,
    clippy::pedantic,
    clippy::as_conversions,
    clippy::unwrap_used,
    clippy::allow_attributes_without_reason,
    deprecated,
    missing_docs,
    rustdoc::all,
    unreachable_pub,
    reason = "generated code"
)]
mod generated {
    include!(concat!(env!("OUT_DIR"), "/contracts.rs"));
}

pub use generated::cleave::*;

include!(concat!(env!("OUT_DIR"), "/policies.rs"));

/// Every contract with its imports, comments and options, as an encoded `google.protobuf.FileDescriptorSet`.
pub const FILE_DESCRIPTOR_SET: &[u8] = include_bytes!(concat!(env!("OUT_DIR"), "/contracts.binpb"));
