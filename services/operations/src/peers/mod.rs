//! The other side, in our words. Called by tasks only, never by a handler.

pub mod billing;
