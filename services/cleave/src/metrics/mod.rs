//! Metrics as services expose them, and what they say.

mod exposition;
mod histogram;

pub(crate) use exposition::{Exposition, Sample};
pub(crate) use histogram::Histogram;
