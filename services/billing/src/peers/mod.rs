//! The other side, as the tasks see it: in the words of the domain. Never called from a handler.

mod convert;
mod operations;

pub(crate) use operations::{Batch, Operations, StreamError};
