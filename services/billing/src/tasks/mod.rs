//! What the service does on its own. A task is safe to run at any moment, any number of times, on every replica.

pub(crate) mod delivery;
pub(crate) mod expiry;
pub(crate) mod figures;
pub(crate) mod heard;
pub(crate) mod meter;
pub(crate) mod parked_rows;
pub(crate) mod rater;
pub(crate) mod settlement;
